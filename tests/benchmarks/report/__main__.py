"""`make bench-report`: runs what has not been run yet, then makes docs/performance.md of all runs.

`run` runs, `profile` looks into processes, `page` makes the page and its pictures of what there is:
of a benchmark that was run here, the runs in build/bench; of others, those that the page had.
Exit code 1 if a benchmark broke down; a missed bar is told on the page.
"""

import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.benchmarks.report.earlier_checkout import unpacked
from tests.benchmarks.report.page import page
from tests.benchmarks.report.pictured import pictures
from tests.benchmarks.report.plan import (
    BEFORE,
    BENCHMARKS,
    DATA,
    IMAGES,
    PAGE,
    PROFILED,
    ROOT,
    RUNS,
    Benchmark,
)
from tests.benchmarks.report.profile import Profile
from tests.benchmarks.report.results import read, updated, written
from tests.benchmarks.report.sampling import profiled
from tests.benchmarks.report.start_imports import imported


def run(names: Sequence[str], count: int, before: Path) -> list[str]:
    """Run each as often as it has not been run yet, in turns; what broke down."""
    broken = []
    for number in range(1, count + 1):
        for benchmark in BENCHMARKS:
            file = RUNS / f"{benchmark.name}-{number}.json"
            is_due = number == 1 or not benchmark.is_long
            if benchmark.name in names and is_due and not file.exists():
                print(f"== {benchmark.name}, run {number} of {count}", flush=True)
                _run(benchmark, file, before)
                if not file.exists():
                    broken.append(f"{benchmark.name}, run {number}")
    return broken


def _run(benchmark: Benchmark, file: Path, before: Path) -> None:
    command = [sys.executable, *benchmark.command(file, before)]
    subprocess.run(command, cwd=ROOT, check=False)


def profile(names: Sequence[str]) -> None:
    """Look into the processes of these benchmarks."""
    RUNS.mkdir(parents=True, exist_ok=True)
    for one in PROFILED:
        if one.benchmark in names:
            print(f"== {one.of}", flush=True)
            _keep(profiled(one.benchmark, one.of, one.arguments, one.process, RUNS))
    if "footprint" in names:
        print("== imports of the receiver", flush=True)
        _keep(imported())


def _keep(found: Profile) -> None:
    text = msgspec.json.format(msgspec.json.encode(found), indent=1)
    (RUNS / f"profile-{found.name}.json").write_bytes(text)


def make_page() -> None:
    """Write docs/performance.json, .md and the pictures."""
    from tests.benchmarks.report.charts import SHADES, drawn

    results = updated(read(DATA), RUNS)
    DATA.write_bytes(written(results))
    PAGE.write_text(page(results), encoding="utf-8")
    for name, picture in pictures(results).items():
        for shade, colours in SHADES.items():
            drawn(picture, colours, IMAGES / f"{name}-{shade}.svg")


def main() -> int:
    names = [one.name for one in BENCHMARKS]
    parser = ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("what", choices=["run", "profile", "page"])
    parser.add_argument("only", nargs="*", choices=[[], *names], metavar="BENCHMARK")
    parser.add_argument("--runs", type=int, default=3, help="of each that is not long")
    options = parser.parse_args()
    only = options.only or names
    broken: list[str] = []
    if options.what == "run":
        broken = run(only, options.runs, unpacked(BEFORE, ROOT / "build" / "before"))
    if options.what == "profile":
        profile(only)
    make_page()
    if broken:
        print(f"broke down: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
