"""Keeps what was measured: the runs and profiles that docs/performance.json holds."""

from pathlib import Path

import msgspec
from msgspec import Struct

from tests.benchmarks.recorded_run import RecordedRun
from tests.benchmarks.report.profile import Profile

__all__ = ["Results", "read", "updated", "written"]


class Results(Struct, frozen=True):
    """Runs in the order of their benchmarks and of time, and profiles by name."""

    runs: list[RecordedRun] = []
    profiles: list[Profile] = []

    def of(self, benchmark: str) -> list[RecordedRun]:
        """The runs of one benchmark."""
        return [run for run in self.runs if run.benchmark == benchmark]


def read(file: Path) -> Results:
    """What a file holds; nothing if there is none. msgspec.ValidationError if it is another."""
    return msgspec.json.decode(file.read_bytes(), type=Results) if file.exists() else Results()


def updated(results: Results, directory: Path) -> Results:
    """With what lies in a directory: the runs of a benchmark there replace all that it had."""
    runs = [
        msgspec.json.decode(path.read_bytes(), type=RecordedRun)
        for path in sorted(directory.glob("*-[0-9]*.json"))
    ]
    profiles = [
        msgspec.json.decode(path.read_bytes(), type=Profile)
        for path in sorted(directory.glob("profile-*.json"))
    ]
    anew = {run.benchmark for run in runs}
    profiled = {profile.name for profile in profiles}
    return Results(
        sorted(
            [*(run for run in results.runs if run.benchmark not in anew), *runs],
            key=lambda run: (run.benchmark, run.began_at),
        ),
        sorted(
            [*(one for one in results.profiles if one.name not in profiled), *profiles],
            key=lambda one: one.name,
        ),
    )


def written(results: Results) -> bytes:
    """As it stands in a file; floats keep the digits that mean something."""
    return msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n"
