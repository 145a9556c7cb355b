"""Fetches what the image is built of where there is no registry of images: `make image-parts`.

buildah, which needs no daemon; a base like the one that deploy/Containerfile names, but of Debian's
packages; and the wheels that requirements/ pins. All of it is unpacked into the virtual
environment, and nothing is installed on the machine.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from msgspec import Struct
from packaging.tags import platform_tags

from tests.support.debian_packages import Along, fetch, unpack

__all__ = ["HOME", "ImageParts", "find_image_parts"]

HOME: Final = Path(sys.prefix) / "image"
_REQUIREMENTS: Final = Path(__file__).parents[2] / "requirements"
_FILES: Final = ("build", "receiver", "image")
# What the official images of Python have and the Containerfile asks for.
_BASE: Final = ("coreutils", "dash", "findutils", "libstdc++6", "python3", "python3-venv")


class ImageParts(Struct, frozen=True):
    """Directories: what buildah consists of, the root of the base, the wheels."""

    buildah: Path
    base: Path
    wheels: Path


def _parts() -> ImageParts:
    pinned = b"".join((_REQUIREMENTS / f"{name}.txt").read_bytes() for name in _FILES)
    digest = hashlib.sha256(pinned).hexdigest()[:16]
    return ImageParts(HOME / "buildah", HOME / "base", HOME / f"wheels-{digest}")


def find_image_parts() -> ImageParts | None:
    """Those that were fetched; None unless all of them were."""
    parts = _parts()
    is_whole = all(path.exists() for path in (parts.buildah, parts.base, parts.wheels))
    return parts if is_whole else None


def _buildah(target: Path, work: Path) -> None:
    unpack(fetch(work, ["buildah"], Along.WHAT_IS_MISSING), target)


def _base(target: Path, work: Path) -> None:
    archives = fetch(work, ["base-files", "base-passwd", *_BASE], Along.EVERYTHING)
    for name in ("bin", "sbin", "lib", "lib64"):
        (target / "usr" / name).mkdir(parents=True)
        (target / name).symlink_to(f"usr/{name}")
    unpack(archives, target)
    for name in ("passwd", "group"):  # as the package does when it is installed
        shutil.copy(target / f"usr/share/base-passwd/{name}.master", target / "etc" / name)


def _wheels(target: Path, _work: Path) -> None:
    (python,) = (_parts().base / "usr" / "bin").glob("python3.[0-9]*")
    version = python.name.removeprefix("python")
    is_ours = version == f"{sys.version_info[0]}.{sys.version_info[1]}"
    platforms = [word for tag in platform_tags() for word in ("--platform", tag)]
    subprocess.run(
        (
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download"),
            *([] if is_ours else ["--python-version", version, *platforms]),
            *("--require-hashes", "--dest", target),
            *(word for name in _FILES for word in ("-r", _REQUIREMENTS / f"{name}.txt")),
        ),
        check=True,
    )


def _provide(target: Path, make: Callable[[Path, Path], None]) -> None:
    """Make it if it is not there; whole, or not at all."""
    if target.exists():
        return
    print("fetching", target.name, "into", HOME, "…", flush=True)
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    draft.mkdir(parents=True)
    try:
        with TemporaryDirectory() as work:
            make(draft, Path(work))
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def main() -> None:
    """Provide them. That it cannot be done is told, and no failure."""
    parts = _parts()
    try:
        _provide(parts.buildah, _buildah)
        _provide(parts.base, _base)
        for former in set(HOME.glob("wheels-*")) - {parts.wheels}:
            shutil.rmtree(former)
        _provide(parts.wheels, _wheels)
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        print(f"no image ({error}): tests of it are skipped", file=sys.stderr)


if __name__ == "__main__":
    main()
