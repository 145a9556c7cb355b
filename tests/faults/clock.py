"""The clock of processes, set ahead and put right while they run.

A few lines of C before libc (clock.c), since what exists for this shifts or breaks sleeping, too.
"""

import shutil
import subprocess
from pathlib import Path

from tests.support.server_matrix import NotHere

__all__ = ["Clock"]


class Clock:
    """A clock that all processes share that are started with its `environment`.

    Raises NotHere where there is no C compiler.
    """

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock-offset"
        self._file.write_bytes(bytes(8))
        self.environment = {
            "LD_PRELOAD": str(_library(directory)),
            "CLOCK_OFFSET_FILE": str(self._file),
        }

    def set(self, seconds: int) -> None:
        """So far ahead of the true time are these processes from now on."""
        with self._file.open("r+b") as file:
            file.write(seconds.to_bytes(8, "little", signed=True))


def _library(directory: Path) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        raise NotHere("a clock of their own for processes needs a C compiler")
    library = directory / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source], check=True)
    return library
