"""Writes docs/performance.md: the text of page.md around tables of what was measured. Pure."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template
from typing import Final

from msgspec import Struct

from tests.benchmarks.recorded_run import RecordedRun
from tests.benchmarks.report import medians
from tests.benchmarks.report.not_reached import reason_for
from tests.benchmarks.report.pictured import pictures
from tests.benchmarks.report.plan import BEFORE, BENCHMARKS
from tests.benchmarks.report.profile import Profile
from tests.benchmarks.report.results import Results
from tests.benchmarks.report.tables import tables

__all__ = ["Judged", "barred", "page"]


class Judged(Struct, frozen=True):
    """Something that has a bar: its name, and which of several it is of."""

    name: str
    of: str
    is_met: bool


_TEMPLATE: Final = Path(__file__).parent / "page.md"
_ALTERNATIVES: Final = {
    "receiver": "Bars: CPU time of an event for the gateway and its peers",
    "memory": "Bars: memory of each process, now and before",
    "growth": "Curves: costs by how much there is",
}


def page(results: Results) -> str:
    """The page. KeyError where the template names what there is not."""
    drawn = pictures(results)
    words = {
        f"{name}_picture": _picture(name, text) if name in drawn else ""
        for name, text in _ALTERNATIVES.items()
    }
    for one in BENCHMARKS:
        runs = results.of(one.name)
        words[one.name] = "\n".join(tables(runs)) if runs else "Not measured yet."
    words["glance"] = _glance(results)
    words["before"] = BEFORE
    words["names"] = ", ".join(one.name for one in BENCHMARKS)
    words["machine"] = "\n\n".join(_machine(results.runs))
    words["not_reached"] = "\n".join(_not_reached(results))
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(words)


def _picture(name: str, alternative: str) -> str:
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="images/{name}-dark.svg">'
        f'<img alt="{alternative}" src="images/{name}-light.svg"></picture>'
    )


def _machine(runs: Sequence[RecordedRun]) -> Iterator[str]:
    """Each machine that took part; mostly it is one."""
    for one in {repr(run.machine): run.machine for run in runs}.values():
        libraries = ", ".join(f"{name} {version}" for name, version in one.libraries.items())
        yield (
            f"{one.cores} cores ({one.processor}), {one.memory_gb:g} GB, Linux {one.kernel}, "
            f"Python {one.python}, {one.redis_server}; {libraries}."
        )


def _glance(results: Results) -> str:
    """How many of all bars hold."""
    found = [one.is_met for it in BENCHMARKS for one in barred(results.of(it.name))]
    others = "[what was not reached](#what-was-not-reached) has the others"
    return f"{sum(found)} of {len(found)} bars hold; {others}."


def barred(runs: Sequence[RecordedRun]) -> list[Judged]:
    """All figures and curves of a benchmark that have a bar, by their medians."""
    return [
        *(
            Judged(one.name, one.of, one.is_met)
            for one in medians.summaries(runs)
            if one.bar is not None
        ),
        *(Judged(one.name, "", one.is_good) for one in medians.curves(runs)),
    ]


def _not_reached(results: Results) -> Iterator[str]:
    """What misses its bar, why, and the profiles that show it."""
    for benchmark in BENCHMARKS:
        missed = [one for one in barred(results.of(benchmark.name)) if not one.is_met]
        for name in dict.fromkeys(one.name for one in missed):
            of = ", ".join(one.of for one in missed if one.name == name and one.of)
            which = f" ({of})" if of else ""
            yield f"**{name}{which}.** {reason_for(name) or 'Nobody has looked into it yet.'}"
            yield ""
        for profile in results.profiles:
            if missed and profile.name == benchmark.name:
                yield from _profile(profile)


def _profile(it: Profile) -> Iterator[str]:
    parts = ", ".join(f"`{part.where}` {part.share:.0%}" for part in it.parts)
    yield f"{it.about} {parts}."
    yield ""
