"""Runs the whole suite: the unit tests in one process, and beside it all others by several workers.

`python -m tests.suite WORKERS`, for `make test`. A worker of pytest-xdist collects all tests that
it may be given, and to be given one takes as long as an average unit test. So the workers have
those that start processes and servers, which mostly wait, and the unit tests use that time.

What fails beside others is tried once more by itself, and has to pass then: processes that are
killed and frozen have deadlines, and a machine may be busy.
"""

import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

import pytest

__all__ = ["run"]

ROOT: Final = Path(__file__).parents[1]
_DOTS: Final = re.compile(r"[.FEsxX]+ *\[ *\d+%\]\n")


class _Part(NamedTuple):
    """Tests that pytest runs by themselves, and remembers by themselves which of them failed."""

    name: str
    tests: tuple[str, ...]

    def by_pytest(self, *options: str) -> tuple[str, ...]:
        memory = f"cache_dir=.pytest_cache/{self.name}"
        return (sys.executable, "-m", "pytest", *self.tests, "-o", memory, *options)


_UNITS: Final = _Part("unit", ("tests/unit",))
_OTHERS: Final = _Part("others", ("--ignore", "tests/unit"))


def run(workers: str, directory: Path) -> int:
    """Run both parts, and print what they do; the exit code, 0 if every test has passed."""
    # Each process of pytest that a terminal interrupts ends what it has started, and is waited for.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    codes = _together(workers, directory)
    for part, code in codes.items():
        if code == pytest.ExitCode.TESTS_FAILED:
            print(f"once more, one by one ({part.name}):", flush=True)
            again = part.by_pytest("--last-failed", "--last-failed-no-failures", "none")
            codes[part] = subprocess.run(again, cwd=directory, check=False).returncode
    return max(codes.values())


def _together(workers: str, directory: Path) -> dict[_Part, int]:
    # One by one, in their order: what takes long is begun before the end.
    by_workers = ("-n", workers, "--dist", "load", "--maxschedchunk", "1")
    with (
        tempfile.TemporaryFile("w+") as printed,
        subprocess.Popen(
            # The others have deadlines, and these only have to be done when the others are.
            ("nice", "-n", "5", *_UNITS.by_pytest("-q")),
            cwd=directory,
            stdout=printed,
            stderr=subprocess.STDOUT,
        ) as units,
    ):
        others = subprocess.run(_OTHERS.by_pytest(*by_workers), cwd=directory, check=False)
        codes = {_UNITS: units.wait(), _OTHERS: others.returncode}
        printed.seek(0)
        print("unit tests:", _DOTS.sub("", printed.read()).strip(), flush=True)
    return codes


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], ROOT))
