"""One run of a benchmark as a file: what it measured, when, of which commit, on which machine."""

import os
import platform
import subprocess
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.local.redis_server import find_server
from tests.benchmarks.figure import Figure, judged
from tests.benchmarks.growth.curve import Curve

__all__ = ["Machine", "RecordedRun", "Recorder", "arguments", "commit_here", "this_machine"]

_ROOT: Final = Path(__file__).parents[2]
_LIBRARIES: Final = ("aiohttp", "uvloop", "redis", "hiredis", "msgspec", "duckdb", "apprise")


class Machine(Struct, frozen=True):
    """What a run ran on; versions are those of the libraries that it is about."""

    cores: int
    processor: str
    memory_gb: float
    kernel: str
    python: str
    redis_server: str
    libraries: dict[str, str]


class RecordedRun(Struct, frozen=True):
    """What one run of a benchmark measured; moments are in UTC."""

    benchmark: str
    began_at: datetime
    took_s: float
    commit: str
    load_before: float
    machine: Machine
    figures: list[Figure] = []
    curves: list[Curve] = []


class Recorder:
    """Begins with a benchmark and, when it has its figures, judges and records them."""

    def __init__(self, benchmark: str, file: Path | None) -> None:
        self._benchmark = benchmark
        self._file = file
        self._began_at = datetime.now(UTC)
        self._load = os.getloadavg()[0]
        self._commit = commit_here()

    def concluded(self, figures: Sequence[Figure] = (), curves: Sequence[Curve] = ()) -> int:
        """Print the figures, write the file if one is wanted; the exit code, 1 for a missed bar."""
        hold = judged(figures) and all(curve.is_good for curve in curves)
        if self._file is not None:
            run = RecordedRun(
                benchmark=self._benchmark,
                began_at=self._began_at.replace(microsecond=0),
                took_s=round((datetime.now(UTC) - self._began_at).total_seconds(), 1),
                commit=self._commit,
                load_before=round(self._load, 2),
                machine=this_machine(),
                figures=[_short(figure) for figure in figures],
                curves=list(curves),
            )
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")
        return 0 if hold else 1


def _short(figure: Figure) -> Figure:
    """With no more digits than mean something."""
    sides = tuple(replace(side, value=float(f"{side.value:.5g}")) for side in figure.sides)
    return replace(figure, value=float(f"{figure.value:.5g}"), sides=sides)


def arguments(about: str, *, is_compared: bool = False) -> ArgumentParser:
    """A parser with what benchmarks have in common."""
    parser = ArgumentParser(description=about.partition("\n\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="record the figures there, too")
    if is_compared:
        parser.add_argument("--before", type=Path, metavar="DIR", help="another checkout beside")
    return parser


def this_machine() -> Machine:
    """The machine that this runs on."""
    return Machine(
        cores=os.cpu_count() or 1,
        processor=_processor(),
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        kernel=platform.release(),
        python=platform.python_version(),
        redis_server=find_server().name,
        libraries={name: version(name) for name in _LIBRARIES},
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def commit_here() -> str:
    """The checkout's commit, with a plus where its code was changed since."""

    def git(*words: str) -> str:
        command = ("git", "-C", str(_ROOT), *words)
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "gateway", "consumers", "tests")
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
