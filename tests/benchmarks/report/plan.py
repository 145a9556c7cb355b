"""Names the benchmarks of the report, and how each is run. Runs nothing."""

from pathlib import Path
from typing import Final

from msgspec import Struct

__all__ = [
    "BEFORE",
    "BENCHMARKS",
    "DATA",
    "IMAGES",
    "PAGE",
    "PROFILED",
    "ROOT",
    "RUNS",
    "Benchmark",
    "Profiled",
]

ROOT: Final = Path(__file__).parents[3]
RUNS: Final = ROOT / "build" / "bench"
DATA: Final = ROOT / "docs" / "performance.json"
PAGE: Final = ROOT / "docs" / "performance.md"
IMAGES: Final = ROOT / "docs" / "images"

BEFORE: Final = "fef0eeb"
"""The last commit before the fast lane, shared imports and loads by the databases' own drivers."""


class Benchmark(Struct, frozen=True, kw_only=True):
    """A benchmark: its module, which takes `--json FILE`."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    is_compared: bool = False
    """Whether it takes `--before DIR`, too."""

    is_long: bool = False
    """One run has to do: it takes many minutes."""

    def command(self, file: Path, before: Path) -> list[str]:
        """The arguments of Python."""
        beside = ["--before", str(before)] if self.is_compared else []
        return ["-m", self.module, "--json", str(file), *beside, *self.arguments]


BENCHMARKS: Final = (
    Benchmark(name="ingest", module="tests.benchmarks.ingest", is_compared=True),
    Benchmark(name="lone", module="tests.benchmarks.bench_lone", is_compared=True),
    Benchmark(name="consume", module="tests.benchmarks.bench_consume", is_compared=True),
    Benchmark(
        name="notifier",
        module="tests.benchmarks.bench_notifier",
        arguments=("--events", "6000"),  # twelve thousand take three minutes, and say the same
        is_compared=True,
    ),
    Benchmark(name="audit", module="tests.benchmarks.bench_audit"),
    Benchmark(name="feed", module="tests.benchmarks.bench_feed"),
    Benchmark(name="relay", module="tests.benchmarks.relay"),
    Benchmark(name="warehouse", module="tests.benchmarks.bench_warehouse"),
    Benchmark(
        name="footprint", module="tests.benchmarks.footprint", is_compared=True, is_long=True
    ),
    Benchmark(name="growth", module="tests.benchmarks.growth", is_long=True),
    Benchmark(name="console", module="tests.benchmarks.console", is_long=True),
)


class Profiled(Struct, frozen=True, kw_only=True):
    """A process of a benchmark that is looked into."""

    benchmark: str
    of: str
    arguments: tuple[str, ...]
    process: str
    """Part of the command line by which it is known."""


PROFILED: Final = (
    Profiled(
        benchmark="lone",
        of="the receiver, with 200 events a second that come alone",
        arguments=("-m", "tests.benchmarks.bench_lone", "--turns", "40"),
        process="-m gateway serve",
    ),
    Profiled(
        benchmark="consume",
        of="the runtime with a handler of batches",
        arguments=("-m", "tests.benchmarks.bench_consume", "--rounds", "8"),
        process="consume_contenders.py batches",
    ),
    Profiled(
        benchmark="notifier",
        of="the notifier",
        arguments=("-m", "tests.benchmarks.bench_notifier", "--events", "6000"),
        process="run notifier",
    ),
    Profiled(
        benchmark="warehouse",
        of="the process that loads the warehouse",
        arguments=("-m", "tests.benchmarks.bench_warehouse"),
        process="consumers.warehouse.loading_child",
    ),
)
