"""Writes what a load found: as JSON, as a page, and as pictures for light and for dark pages."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from tests.benchmarks.load_test.accounting import LoadFault
from tests.benchmarks.load_test.ramp import RampPlan
from tests.benchmarks.load_test.steps import Limits, Step
from tests.benchmarks.recorded_run import Machine
from tests.benchmarks.report.pictured import Lines, Point

__all__ = ["LoadReport", "page_of", "pictures_of", "written_report"]

_DRAWN_TIMES: Final = {"p50": "p50_ms", "p99": "p99_ms", "generator late, p99": "lag_p99_ms"}


class LoadReport(Struct, frozen=True, kw_only=True):
    """One load. `held` is the rate below the knee that was held, None if none was; `faults` is what
    could not be accounted for. `processes` are those of this machine, by kind.
    """

    began_at: datetime
    took_s: float
    commit: str
    machine: Machine
    load_before: float
    url: str
    partitions: int
    processes: dict[str, int]
    seed: int
    plan: RampPlan
    limits: Limits
    steps: list[Step]
    ended: str
    held: float | None
    accepted: int
    faults: list[LoadFault]

    @property
    def held_step(self) -> Step | None:
        """The step in which it was held."""
        return self.steps[-1] if self.held is not None else None

    @property
    def is_good(self) -> bool:
        """Whether a rate was held and every event is accounted for."""
        return self.held is not None and not self.faults


def written_report(report: LoadReport, directory: Path) -> Path:
    """Write all files into a directory; the page is the answer."""
    directory.mkdir(parents=True, exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"
    (directory / "report.json").write_bytes(encoded)
    drawn_names = _drawn(report, directory)
    page = directory / "report.md"
    page.write_text(page_of(report, drawn_names), encoding="utf-8")
    return page


def _drawn(report: LoadReport, directory: Path) -> list[str]:
    """Draw the pictures; the names of those that are there. None without the drawing library."""
    try:
        from tests.benchmarks.report.charts import SHADES, drawn
    except ImportError:
        return []
    found = pictures_of(report)
    for name, picture in found.items():
        for shade, colours in SHADES.items():
            drawn(picture, colours, directory / f"{name}-{shade}.svg")
    return list(found)


def pictures_of(report: LoadReport) -> dict[str, Lines]:
    """What is drawn, by the name of its file."""
    steps = sorted(
        (one for one in report.steps if one.phase == "ramp"), key=lambda one: one.answers.rate
    )
    if not steps:
        return {}
    rate = "events a second, as scheduled"
    answers = [one.answers for one in steps]
    return {
        "latency": Lines(
            "Answers, from the moment when each was due",
            rate,
            "ms",
            tuple(
                Point(name, one.rate, round(getattr(one, field), 2))
                for name, field in (
                    ("p50", "p50_ms"),
                    ("p99", "p99_ms"),
                    ("generator late, p99", "lag_p99_ms"),
                )
                for one in answers
            ),
            report.limits.p99_ms,
        ),
        "cores": Lines(
            "What each kind of process takes",
            rate,
            "cores",
            tuple(
                Point(name, step.answers.rate, round(cores, 3))
                for name in _by_most(steps)
                for step in steps
                if (cores := _cores(step).get(name)) is not None
            ),
        ),
        "backlog": Lines(
            "What groups have not acknowledged at the end of a step",
            rate,
            "seconds of that load",
            tuple(
                Point(name, step.answers.rate, round(count / step.answers.rate, 2))
                for name in sorted({name for step in steps for name in step.backlog})
                for step in steps
                if (count := step.backlog.get(name)) is not None
            ),
            report.limits.backlog_s,
        ),
    }


def _cores(step: Step) -> dict[str, float]:
    return step.cores | {"generator": step.answers.generator_cores}


def _by_most(steps: Sequence[Step]) -> list[str]:
    last = _cores(steps[-1])
    return sorted(last, key=lambda name: -last[name])


def page_of(report: LoadReport, drawn_names: Sequence[str]) -> str:
    """The page."""
    return "\n".join(
        [
            "# Load",
            "",
            *_outcome(report),
            "",
            *_pictures(drawn_names),
            *_steps(report.steps),
            "",
            *_costs(report),
            "",
            *_about(report),
            "",
        ]
    )


def _outcome(report: LoadReport) -> Iterator[str]:
    if report.held is None:
        yield "**No rate was held.**"
    else:
        yield f"**{report.held:,.0f} events a second were held for {report.plan.hold_s:g} s.**"
    yield f"The ramp ended: {report.ended or 'it was broken off'}."
    yield ""
    if report.faults:
        yield f"**Of {report.accepted:,} events answered 200, not all are accounted for:**"
        yield ""
        yield from (f"* {fault}" for fault in report.faults)
    else:
        yield (
            f"All {report.accepted:,} events that were answered 200 are accounted for: each is on "
            "the stream once, every group has handled it, the verifying group has read it once "
            "and in the order of its comment, and the balance closes."
        )


def _pictures(names: Sequence[str]) -> Iterator[str]:
    for name in names:
        yield (
            f'<picture><source media="(prefers-color-scheme: dark)" srcset="{name}-dark.svg">'
            f'<img alt="{name} by rate" src="{name}-light.svg"></picture>'
        )
        yield ""


def _steps(steps: Sequence[Step]) -> Iterator[str]:
    yield "| | Events/s | Sent | 200 | p50, ms | p99, ms | Generator late, p99 ms | Backlog, s | |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|---|"
    for step in steps:
        one = step.answers
        yield (
            f"| {step.phase} | {one.rate:,.0f} | {one.sent:,} | {one.accepted:,} "
            f"| {one.p50_ms:.1f} | {one.p99_ms:.1f} | {one.lag_p99_ms:.1f} "
            f"| {step.backlog_s:.1f} | {step.passed} |"
        )


def _costs(report: LoadReport) -> Iterator[str]:
    step = report.held_step
    if step is None:
        return
    yield "At the rate that was held, with what each did besides:"
    yield ""
    yield "| | Cores | CPU time of an event, µs |"
    yield "|---|--:|--:|"
    for name in _by_most([step]):
        cores = _cores(step)[name]
        yield f"| {name} | {cores:.3f} | {1e6 * cores / step.answers.rate:,.0f} |"
    if step.redis is not None and step.answers.accepted:
        of = step.answers.accepted
        yield ""
        yield (
            f"Redis, for an event: {step.redis.memory_bytes / of:,.0f} bytes of memory more, "
            f"{step.redis.in_bytes / of:,.0f} bytes in and {step.redis.out_bytes / of:,.0f} out "
            f"over the network, {step.redis.commands / of:.2f} commands."
        )


def _about(report: LoadReport) -> Iterator[str]:
    one, limits = report.machine, report.limits
    processes = ", ".join(f"{count} × {name}" for name, count in report.processes.items())
    yield (
        f"{report.url}, {report.partitions} partitions; processes on this machine: {processes}. "
        f"The generator is one more process here. Requests come as a Poisson process (seed "
        f"{report.seed}) on {one.cores} cores ({one.processor}), {one.memory_gb:g} GB, Python "
        f"{one.python}, {one.redis_server}, commit {report.commit}; load average before: "
        f"{report.load_before:g}. {report.began_at:%Y-%m-%d %H:%M} UTC, {report.took_s:.0f} s."
    )
    yield ""
    yield (
        f"Limits: p99 {limits.p99_ms:g} ms, {limits.failed_share:.1%} not answered 200, a backlog "
        f"of {limits.backlog_s:g} s of the load. A latency counts from when a request was due, "
        "whether it could be sent then or not."
    )
