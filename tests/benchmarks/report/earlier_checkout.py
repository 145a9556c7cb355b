"""Unpacks the earlier release that benchmarks measure beside this one."""

import shutil
import subprocess
from pathlib import Path

from tests.benchmarks.report.plan import ROOT

__all__ = ["unpacked"]


def unpacked(commit: str, directory: Path) -> Path:
    """The files of a commit in a directory; made once.

    Raises CalledProcessError where the history of this clone does not reach so far.
    """
    place = directory / commit
    if not place.exists():
        directory.mkdir(parents=True, exist_ok=True)
        archive = directory / f"{commit}.tar"
        git = ("git", "-C", str(ROOT), "archive", "--output", str(archive), commit)
        subprocess.run(git, check=True)
        shutil.unpack_archive(archive, place, filter="data")
        archive.unlink()
    return place
