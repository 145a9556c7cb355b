"""Fetches Debian's packages and unpacks them anywhere, without installing them: needs no root."""

import subprocess
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Final

__all__ = ["Along", "fetch", "unpack"]


class Along(Enum):
    """Says what comes along with a package."""

    NOTHING = "nothing"
    WHAT_IS_MISSING = "what it needs and this machine has not"
    EVERYTHING = "all that it needs, as for a machine of its own"


_COMMANDS: Final = {
    Along.NOTHING: ("download",),
    Along.WHAT_IS_MISSING: ("install", "--download-only", "--no-install-recommends", "--yes"),
    Along.EVERYTHING: (
        *("-o", "Dir::State::status=/dev/null"),
        *("install", "--download-only", "--no-install-recommends", "--yes"),
    ),
}


def fetch(work: Path, packages: Iterable[str], along: Along = Along.NOTHING) -> list[Path]:
    """Their archives, somewhere in the directory `work`. Raises CalledProcessError, OSError."""
    archives = work / "cache" / "archives"
    for directory in (work / "lists" / "partial", archives / "partial"):
        directory.mkdir(parents=True, exist_ok=True)
    # With lists of packages of its own, since the machine's may be missing or old.
    apt = (
        *("apt-get", "-qq", "-o", f"Dir::State::Lists={work}/lists"),
        *(
            "-o",
            f"Dir::Cache={work}/cache",
            "-o",
            "Debug::NoLocking=1",
            "-o",
            "APT::Sandbox::User=",
        ),
    )
    subprocess.run((*apt, "update"), check=True)
    subprocess.run((*apt, *_COMMANDS[along], *packages), check=True, cwd=archives)
    return sorted(archives.glob("*.deb"))


def unpack(archives: Iterable[Path], target: Path) -> None:
    """Put what is in them into a directory, through links to directories that are there."""
    target.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        packed = subprocess.run(
            ("dpkg-deb", "--fsys-tarfile", archive), stdout=subprocess.PIPE, check=True
        )
        subprocess.run(
            ("tar", "--extract", "--keep-directory-symlink", "--directory", target),
            input=packed.stdout,
            check=True,
        )
