"""What a Debian machine of the tests is made of: made once, and kept for later runs.

In `$XDG_CACHE_HOME` or `~/.cache`, under `bitrix24-event-gateway`. Nothing there is ever changed:
what is made of other packages has another name.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

import pytest

from tests.integration.deploy.files import ROOT

__all__ = ["PACKAGES", "debian_base", "wheels"]

_SUITE: Final = "bookworm"
PACKAGES: Final = ("procps", "python3-venv", "redis-server", "systemd")
_REQUIREMENTS: Final = ROOT / "requirements" / "image.txt"


def debian_base() -> Path:
    """The root of a fresh Debian, to be copied. Needs root, `debootstrap` and Debian's packages."""
    program = shutil.which("debootstrap")
    if program is None or os.geteuid() != 0:
        pytest.fail("needs root, and debootstrap: apt install debootstrap")
    command = [program, "--variant=minbase", f"--include={','.join(PACKAGES)}", _SUITE]
    return _kept(
        f"debian-{_SUITE}-{_short(*PACKAGES)}",
        lambda draft: subprocess.run([*command, draft], check=True, stdout=subprocess.DEVNULL),
    )


def wheels() -> Path:
    """What an installation needs beside our wheel, for the Python of that Debian."""
    command = [
        *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download"),
        *("--python-version=3.11", "--only-binary=:all:"),
        *("--require-hashes", "--requirement", str(_REQUIREMENTS)),
    ]
    texts = [path.read_text() for path in sorted(_REQUIREMENTS.parent.iterdir())]
    return _kept(
        f"wheels-{_short(*texts)}",
        lambda draft: subprocess.run([*command, "--dest", draft], check=True),
    )


def _kept(name: str, make: Callable[[Path], object]) -> Path:
    """The directory of this name, which is whole: made beside it, and renamed."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = home / "bitrix24-event-gateway" / name
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(mkdtemp(prefix=f"{name}.", dir=place.parent))
        try:
            draft.chmod(0o755)
            make(draft)
            draft.rename(place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return place


def _short(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]
