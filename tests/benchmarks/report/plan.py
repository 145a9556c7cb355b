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
    """One run is enough: it takes minutes, and what it measures is hardly the machine's mood."""

    def command(self, file: Path, before: Path) -> list[str]:
        """The arguments of Python."""
        beside = ["--before", str(before)] if self.is_compared else []
        return ["-m", self.module, "--json", str(file), *beside, *self.arguments]


BENCHMARKS: Final = tuple(
    Benchmark(name=name, module=f"tests.benchmarks.{module}", is_compared=before, is_long=is_long)
    for name, module, before, is_long in (
        ("ingest", "ingest", True, False),
        ("lone", "bench_lone", True, False),
        ("consume", "bench_consume", True, False),
        ("notifier", "bench_notifier", True, False),
        ("audit", "bench_audit", False, False),
        ("warehouse", "bench_warehouse", False, False),
        ("footprint", "footprint", True, True),
        ("growth", "growth", False, True),
    )
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
        arguments=("-m", "tests.benchmarks.bench_consume"),
        process="consume_contenders.py batches",
    ),
    Profiled(
        benchmark="notifier",
        of="the notifier",
        arguments=("-m", "tests.benchmarks.bench_notifier"),
        process="consumers run notifier",
    ),
    Profiled(
        benchmark="warehouse",
        of="the process that loads the warehouse",
        arguments=("-m", "tests.benchmarks.bench_warehouse"),
        process="consumers.warehouse.loading_child",
    ),
)
