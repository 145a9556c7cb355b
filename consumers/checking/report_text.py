"""Tells people what became of the cases: each fault once, with all cases that have shown it."""

from collections.abc import Sequence
from typing import Final

from consumers.checking.check_report import CaseResult, CheckReport, How, Outcome
from gateway.terminal import printable, printable_lines

__all__ = ["COUNTED", "report_text"]

COUNTED: Final[tuple[Outcome, ...]] = ("handled", "ignored", "rejected", "broken")
_LONGEST_EVENT: Final = 1_000
"""Characters of an event that are shown; `--json` has all of it."""
_WORDS: Final[dict[How, str]] = {
    "raised": "raised",
    "rejected": "made a dead letter of it:",
    "postponed": "put it off again and again:",
    "hung": "did not end:",
    "blocked": "blocked the event loop:",
    "exited": "ended the process:",
}


def report_text(report: CheckReport) -> str:
    """The faults, what was rejected, what was slow, and the counts, for a terminal."""
    faults: dict[tuple[object, ...], list[CaseResult]] = {}
    for one in (*report.of("broken"), *report.of("rejected")):
        faults.setdefault((one.how, one.handler, one.error, str(one.place)), []).append(one)
    parts = [*map(_fault, faults.values()), *_slow(report)]
    counts = ", ".join(f"{len(report.of(outcome))} {outcome}" for outcome in COUNTED)
    return "\n\n".join([*parts, f"{len(report.results)} cases: {counts}"])


def _fault(cases: Sequence[CaseResult]) -> str:
    first = cases[0]
    words = "" if first.how is None else _WORDS[first.how]
    lines = [
        printable(f"{first.outcome.upper()}: {first.handler} {words} {first.error}"),
        *([] if first.place is None else [f"  at {printable(str(first.place))}"]),
        *(f"  {one.name}: {one.about}" for one in cases),
    ]
    if first.traceback:
        lines += [f"    {line}" for line in printable_lines(first.traceback).splitlines()]
    if first.event:
        cut = "…" if len(first.event) > _LONGEST_EVENT else ""
        of_which = "" if len(cases) == 1 else f" of {first.name}"
        lines.append(f"  event{of_which}: {printable(first.event[:_LONGEST_EVENT])}{cut}")
    return "\n".join(lines)


def _slow(report: CheckReport) -> list[str]:
    """Each line that kept the event loop for a while, and broke nothing so far."""
    worst: dict[str, float] = {}
    for one in report.results:
        if one.blocked_at is not None and one.how != "blocked":
            place = str(one.blocked_at)
            worst[place] = max(worst.get(place, 0.0), one.blocked_s)
    return [
        f"SLOW: the event loop stood still for {seconds:.1f} s: what blocks belongs in "
        f"asyncio.to_thread\n  at {printable(place)}"
        for place, seconds in worst.items()
    ]
