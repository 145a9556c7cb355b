"""Builds the wheel, of the same source always the same bytes.

`python -m tests.reproducible_wheel DIRECTORY` leaves it there.

What else would be in it is taken away: times and modes of files, what an earlier build has left
behind, what is not of the repository, the umask. Files have the time of the commit. What builds it
is installed beside the Python that runs this: requirements/build.txt. Needs pip besides.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

__all__ = ["build"]

_ROOT: Final = Path(__file__).parents[1]
_SOURCES: Final = ("gateway", "consumers", "pyproject.toml", "README.md", "LICENSE")
_FILE_MODE: Final = 0o644
_EARLIEST: Final = "315532800"
# 1980, when the times of archives begin; where no commit says another.


def build(target: Path, *, root: Path = _ROOT) -> Path:
    """Build the wheel of `root` into `target`, and say its path. Raises CalledProcessError."""
    target.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        source, made = Path(scratch, "source"), Path(scratch, "made")
        for path in _tracked(root):
            copy = source / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / path, copy)
            copy.chmod(_FILE_MODE)
        subprocess.run(
            (
                *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "wheel"),
                *("--no-deps", "--no-build-isolation", "--wheel-dir", str(made), str(source)),
            ),
            env={**os.environ, "SOURCE_DATE_EPOCH": _commit_time(root)},
            umask=0o022,
            check=True,
        )
        (wheel,) = made.iterdir()
        return Path(shutil.copyfile(wheel, target / wheel.name))


def _tracked(root: Path) -> Iterator[Path]:
    """The files of the repository that belong into a wheel; of a bare copy, all that are there."""
    listed = _git(root, "ls-files", "-z", "--", *_SOURCES)
    if listed:
        yield from (Path(name) for name in listed.split("\0") if name and (root / name).is_file())
        return
    for name in _SOURCES:
        found = (root / name).rglob("*") if (root / name).is_dir() else [root / name]
        yield from (
            path.relative_to(root) for path in found if path.is_file() and path.suffix != ".pyc"
        )


def _commit_time(root: Path) -> str:
    return (
        os.environ.get("SOURCE_DATE_EPOCH") or _git(root, "log", "-1", "--format=%ct") or _EARLIEST
    )


def _git(root: Path, *words: str) -> str:
    """What git says; nothing where there is no git, or no repository of its own."""
    try:
        done = subprocess.run(
            ("git", *words), cwd=root, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return "" if done.returncode else done.stdout.strip()


if __name__ == "__main__":
    print(build(Path(sys.argv[1])))
