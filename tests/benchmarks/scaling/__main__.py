"""`make bench-scaling`: measures installations of several shapes, and makes docs/scaling.md of it.

`measure` runs the rounds that have not been run yet (build/scaling), then what asking portals
costs, then a load to the knee; `page` makes docs/scaling.json of what has been run here, and the
page and its picture of that; `plan` says what a rate and a number of portals take.
"""

import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from tests.benchmarks.load_test.load_report import LoadReport
from tests.benchmarks.recorded_run import commit_here, this_machine
from tests.benchmarks.report import medians
from tests.benchmarks.report.plan import DATA as PERFORMANCE
from tests.benchmarks.report.plan import IMAGES, ROOT
from tests.benchmarks.report.results import read
from tests.benchmarks.scaling.asking_portals import asking
from tests.benchmarks.scaling.measurement import (
    DATA,
    PAGE,
    PICTURE,
    Asking,
    Idle,
    Knee,
    Measured,
    Measurements,
    Shape,
    read_measurements,
    written,
)
from tests.benchmarks.scaling.measuring import RATES, SHAPES, measured
from tests.benchmarks.scaling.model import model_of
from tests.benchmarks.scaling.page import assumptions_of, page_of, picture_of, plan_table
from tests.benchmarks.scaling.sizing import Wanted, sized

T = TypeVar("T")

_RUNS: Final = ROOT / "build" / "scaling"
_LOAD: Final = _RUNS / "load"
_PORTALS: Final = (1, 100)
_SHORTENED: Final = 10
"""The benchmark of reconcile has intervals of a tenth, so that a portal is as much as ten."""


class Round(Struct, frozen=True):
    """What one round found, in its order."""

    commit: str
    began_at: datetime
    idle: list[Idle]
    rounds: list[Measured]


def measure(count: int) -> None:
    """Run what is not there; every other round in the other direction."""
    _RUNS.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        file = _RUNS / f"round-{number}.json"
        if not file.exists():
            _say(f"== round {number} of {count}")
            _keep(_round(SHAPES[:: 1 if number % 2 else -1]), file)
    for number in range(1, count + 1):
        file = _RUNS / f"asking-{number}.json"
        if not file.exists():
            _say(f"== asking portals, {number} of {count}")
            _keep([asking(portals) for portals in _PORTALS], file)
    if not (_LOAD / "report.json").exists():
        _say("== to the knee")
        command = (sys.executable, "-m", "tests.benchmarks.load_test", "--into", str(_LOAD))
        subprocess.run(command, cwd=ROOT, check=False)


def _round(shapes: Sequence[Shape]) -> Round:
    began_at, idle, rounds = datetime.now(UTC), list[Idle](), list[Measured]()
    for one in measured(shapes, RATES, say=_say):
        if isinstance(one, Idle):
            idle.append(one)
        else:
            rounds.append(one)
    return Round(commit_here(), began_at, idle, rounds)


def gathered() -> Measurements:
    """All that has been run here. SystemExit if something is missing."""
    rounds = [_read(file, Round) for file in sorted(_RUNS.glob("round-*.json"))]
    asked = [_read(file, list[Asking]) for file in sorted(_RUNS.glob("asking-*.json"))]
    if not (rounds and asked and (_LOAD / "report.json").exists()):
        raise SystemExit(f"not all has been measured: {_RUNS}")
    report = _read(_LOAD / "report.json", LoadReport)
    if report.held is None:
        raise SystemExit(f"no rate was held; remove {_LOAD} and measure again")
    bent = [one.answers.rate for one in report.steps if one.phase == "ramp" and one.passed]
    return Measurements(
        machine=this_machine(),
        commit=rounds[-1].commit,
        began_at=rounds[-1].began_at,
        rounds=[one for it in rounds for one in it.rounds],
        idle=[one for it in rounds for one in it.idle],
        asking=[_median_asking([it[place] for it in asked]) for place in range(len(_PORTALS))],
        knee=Knee(
            held=report.held,
            bent=max(bent, default=None),
            ended=report.ended,
            accepted=report.accepted,
        ),
        leader_cores=_leader_cores(),
        notice_us=_notice_us(),
    )


def _median_asking(same: Sequence[Asking]) -> Asking:
    return sorted(same, key=lambda one: one.cpu_us)[len(same) // 2]


def _leader_cores() -> float:
    """Cores for each portal, of docs/performance.json."""
    (curve,) = (
        one
        for one in medians.curves(read(PERFORMANCE).of("growth"))
        if one.name == "reconcile: the leader's processor"
    )
    most = curve.sizes[-1]
    return float(f"{curve.costs[most] / (most * _SHORTENED):.3g}")


def _notice_us() -> float:
    """CPU time of a notification, of docs/performance.json."""
    (figure,) = (
        one
        for one in medians.summaries(read(PERFORMANCE).of("notifier"))
        if one.name.startswith("CPU time of a notification")
    )
    return float(f"{1000 * figure.sides[0].value:.3g}")


def make_page() -> None:
    """Write docs/scaling.json, .md and the pictures."""
    from tests.benchmarks.report.charts import SHADES, drawn

    if _RUNS.exists():
        DATA.write_bytes(written(gathered()))
    found = read_measurements(DATA)
    PAGE.write_text(page_of(found), encoding="utf-8")
    for shade, colours in SHADES.items():
        drawn(picture_of(found), colours, IMAGES / f"{PICTURE}-{shade}.svg")


def _keep(found: object, file: Path) -> None:
    file.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1))


def _read(file: Path, kind: type[T]) -> T:
    return msgspec.json.decode(file.read_bytes(), type=kind)


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    """Measure, make the page, or plan."""
    parser = ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("what", choices=["measure", "page", "plan"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=1_000.0, help="events a second, for `plan`")
    parser.add_argument("--portals", type=int, default=1_000, help="for `plan`")
    options = parser.parse_args()
    match options.what:
        case "measure":
            measure(options.rounds)
        case "page":
            make_page()
        case _:
            found = read_measurements(DATA)
            wanted = Wanted(options.rate, options.portals)
            one = sized(model_of(found.rounds), wanted, assumptions_of(found))
            _say("\n".join(plan_table([one])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
