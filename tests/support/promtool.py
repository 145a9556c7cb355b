"""The promtool that tests of alerts run: one that is installed, or that `make promtool` unpacks.

`python -m tests.support.promtool` unpacks it, without root, out of Debian's package of Prometheus.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

__all__ = ["find_promtool"]

_UNPACKED: Final = Path(sys.prefix) / "bin" / "promtool"


def find_promtool() -> str | None:
    """$PROMTOOL, else the one that was unpacked, else one on the PATH; None if there is none."""
    if named := os.environ.get("PROMTOOL"):
        return named
    return str(_UNPACKED) if _UNPACKED.exists() else shutil.which("promtool")


def _unpack() -> None:
    """Put Debian's promtool into the virtual environment; whole, or not at all."""
    with TemporaryDirectory() as name:
        work = Path(name)
        for part in ("lists/partial", "cache/archives/partial"):
            (work / part).mkdir(parents=True)
        # With lists of packages of its own, since the machine's may be missing or old.
        apt = [
            "apt-get",
            *("-qq", "-o", f"Dir::State::Lists={work}/lists", "-o", f"Dir::Cache={work}/cache"),
            *("-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User="),
        ]
        subprocess.run([*apt, "update"], check=True)
        subprocess.run([*apt, "download", "prometheus"], check=True, cwd=work)
        (package,) = work.glob("prometheus_*.deb")
        subprocess.run(["dpkg-deb", "-x", package, work / "unpacked"], check=True)
        draft = _UNPACKED.with_suffix(f".{os.getpid()}")
        shutil.copy(work / "unpacked/usr/bin/promtool", draft)
        draft.rename(_UNPACKED)


def _main() -> None:
    if find_promtool() is not None:
        return
    print("unpacking promtool into", _UNPACKED, "…")
    try:
        _unpack()
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        print(f"no promtool ({error}): tests of alerts are skipped", file=sys.stderr)


if __name__ == "__main__":
    _main()
