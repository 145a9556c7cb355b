"""Takes single programs out of Debian's packages, without root, into the virtual environment."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.support.debian_packages import fetch, unpack

__all__ = ["find_program", "provide"]

_BIN: Final = Path(sys.prefix) / "bin"


def find_program(name: str) -> str | None:
    """What $PROMTOOL or the like names, else the one unpacked, else one on the PATH."""
    if named := os.environ.get(name.upper()):
        return named
    unpacked = _BIN / name
    return str(unpacked) if unpacked.exists() else shutil.which(name)


def provide(name: str, package: str, *, for_what: str) -> None:
    """Unpack it if this machine has none; that it cannot be done is told, and no failure."""
    if find_program(name) is not None:
        return
    print("unpacking", name, "into", _BIN, "…")
    try:
        _unpack(name, package)
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        print(f"no {name} ({error}): {for_what} are skipped", file=sys.stderr)


def _unpack(name: str, package: str) -> None:
    """Put Debian's program into the virtual environment; whole, or not at all."""
    with TemporaryDirectory() as made:
        work = Path(made)
        unpack(fetch(work, [package]), work / "unpacked")
        draft = (_BIN / name).with_suffix(f".{os.getpid()}")
        shutil.copy(work / "unpacked" / "usr" / "bin" / name, draft)
        draft.rename(_BIN / name)
