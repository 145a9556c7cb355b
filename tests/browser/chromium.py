"""The Chromium that tests drive: one that is installed, or the one that `make chromium` unpacks.

`python -m tests.browser.chromium` unpacks it, without root, out of an npm package that holds a
headless Chromium with the libraries and the font that it needs: https://github.com/Sparticuz/chromium
"""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from msgspec import Struct

__all__ = ["Chromium", "find_chromium"]

_PACKAGE: Final = "@sparticuz/chromium@147.0.0"
# In base64, as `npm view` shows it.
_SHA512: Final = (
    "4ZKeAQQa8up2mt675qSitztLdbQrlf8BKdC5naeap+5Mv1OV1OlJdPoU+EJC/p5sQUJUQmN4r+q5+EhaaOUHpQ=="
)
_NAMES: Final = ("chromium", "chromium-headless-shell", "google-chrome", "google-chrome-stable")
_UNPACKED: Final = Path(sys.prefix) / "chromium"
_DECOMPRESS: Final = """
const [from, to] = process.argv.slice(1);
require("stream").pipeline(
  require("fs").createReadStream(from),
  require("zlib").createBrotliDecompress(),
  require("fs").createWriteStream(to),
  (error) => { if (error) throw error; },
);
"""
_FONTS: Final = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{root}/fonts</dir>
  <cachedir>{root}/fonts-cache</cachedir>
</fontconfig>
"""


class Chromium(Struct, frozen=True):
    """A browser, and what it needs in its environment."""

    path: Path
    environment: dict[str, str] = {}


def find_chromium() -> Chromium | None:
    """$CHROMIUM, else the one that was unpacked, else one on the PATH; None if there is none."""
    if named := os.environ.get("CHROMIUM"):
        return Chromium(Path(named))
    if (_UNPACKED / "chromium").exists():
        libraries = {"LD_LIBRARY_PATH": str(_UNPACKED / "lib")}
        return Chromium(
            _UNPACKED / "chromium",
            libraries | {"FONTCONFIG_FILE": str(_UNPACKED / "fonts.conf")},
        )
    return next((Chromium(Path(found)) for found in map(shutil.which, _NAMES) if found), None)


def _unpack() -> None:
    """Put the package's browser into the virtual environment; whole, or not at all."""
    draft = _UNPACKED.with_suffix(f".{os.getpid()}")
    with TemporaryDirectory() as name:
        work = Path(name)
        subprocess.run(
            ["npm", "pack", "--silent", "--pack-destination", name, _PACKAGE],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=name,
        )
        (package,) = work.glob("*.tgz")
        _check(package)
        with tarfile.open(package) as archive:
            archive.extractall(work, filter="data")
        binaries = work / "package" / "bin"
        for compressed in _brotli_files(binaries):
            plain = compressed.with_suffix("")
            subprocess.run(["node", "-e", _DECOMPRESS, compressed, plain], check=True)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        for archive_name in ("al2023.tar", "fonts.tar"):
            with tarfile.open(binaries / archive_name) as archive:
                archive.extractall(draft, filter="data")
        shutil.move(binaries / "chromium", draft / "chromium")
    (draft / "chromium").chmod(0o755)
    (draft / "fonts.conf").write_text(_FONTS.format(root=_UNPACKED))
    draft.rename(_UNPACKED)


def _check(package: Path) -> None:
    """Raises ValueError if it is not the one that was looked at."""
    digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if digest != _SHA512:
        raise ValueError(f"{package.name} has another content than {_PACKAGE} had")


def _brotli_files(directory: Path) -> Iterator[Path]:
    for name in ("chromium.br", "al2023.tar.br", "fonts.tar.br"):
        yield directory / name


def main() -> None:
    """Provide one if there is none. That it cannot be done is told, and no failure."""
    if find_chromium() is not None:
        return
    if not (shutil.which("npm") and shutil.which("node")):
        print("no Chromium, and no npm to get one with: the tests of pages will be skipped")
        return
    print(f"unpacking a headless Chromium into {_UNPACKED} …")
    try:
        _unpack()
    except (OSError, ValueError, subprocess.CalledProcessError, tarfile.TarError) as error:
        print(f"no Chromium: {error}; the tests of pages will be skipped")


if __name__ == "__main__":
    main()
