"""Builds the image of deploy/Containerfile by buildah, without a daemon or a registry.

The base is of Debian's packages; what differs from a build by docker is that argument. Built once,
for all workers of a run, and again when something that goes into it has changed.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec import Struct, json

from tests.integration.deploy.files import CONTAINERFILE, ROOT
from tests.support.image_parts import HOME, ImageParts, find_image_parts

__all__ = ["REVISION", "SOURCE", "BuiltImage", "built_image"]

REVISION: Final = "0123456789abcdef0123456789abcdef01234567"
SOURCE: Final = "https://git.example.com/gateway.git"
_BASE: Final = "localhost/python-of-debian"
_TAG: Final = "localhost/bitrix24-event-gateway"
_POLICY: Final = '{"default": [{"type": "insecureAcceptAnything"}]}'
_PIP_CONF: Final = "[global]\nno-index = true\nfind-links = /wheels\n"
# buildah looks for its libraries where Debian has them, in a child of its own without our
# environment, too: so they are laid over /usr, which only its own namespace sees.
_OVER_USR: Final = 'mount -t overlay overlay -o "lowerdir=$0/usr:/usr" /usr && exec buildah "$@"'
_INTO_BASE: Final = "FROM scratch\nCOPY . /\n"


class BuiltImage(Struct, frozen=True):
    """The directory that holds the image's files, and what else it says (of the form of docker)."""

    root: Path
    config: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """Its variables."""
        return dict(variable.split("=", 1) for variable in self.config["Env"])


def built_image() -> BuiltImage:
    """The image of this source; skips the test where it cannot be built, in CI it fails."""
    parts = find_image_parts()
    refuse = pytest.fail if "CI" in os.environ else pytest.skip
    if parts is None:
        refuse("no image: `make image-parts`")
    if os.geteuid() != 0 or sys.platform != "linux":
        refuse("no image: buildah without a daemon needs root here")
    with _alone():
        built, config = HOME / "root", HOME / "config.json"
        digest = _digest(parts)
        if not config.exists() or json.decode(config.read_bytes())["of"] != digest:
            config.unlink(missing_ok=True)
            shutil.rmtree(built, ignore_errors=True)
            config.write_bytes(json.encode({"of": digest, "config": _build(parts, built)}))
        return BuiltImage(built, json.decode(config.read_bytes())["config"])


@contextmanager
def _alone() -> Iterator[None]:
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest(parts: ImageParts) -> str:
    """Of all that the image is made of."""
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = [ROOT / line[1:].rstrip("/") for line in ignored if line.startswith("!")]
    files = [CONTAINERFILE, Path(__file__), *copied]
    every = {inner for path in files for inner in (path.rglob("*") if path.is_dir() else [path])}
    found = hashlib.sha256(str(parts.base.stat().st_mtime_ns).encode())
    for file in sorted(path for path in every if path.is_file() and path.suffix != ".pyc"):
        found.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return found.hexdigest()


def _build(parts: ImageParts, target: Path) -> dict[str, Any]:
    """Build it into a directory; what it says of itself."""
    work = HOME / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    files = {"policy.json": _POLICY, "pip.conf": _PIP_CONF, "Containerfile": _INTO_BASE}
    for name, text in files.items():
        (work / name).write_text(text)

    def buildah(*words: str | Path) -> str:
        done = subprocess.run(
            (
                *("unshare", "--mount", "sh", "-euc", _OVER_USR, parts.buildah),
                *("--root", work / "storage", "--runroot", work / "run", *words),
            ),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    build: tuple[str | Path, ...] = (
        *("build", "--isolation", "chroot", "--format", "docker", "--quiet"),
        *("--signature-policy", work / "policy.json"),
    )
    buildah(*build, "--tag", _BASE, "--file", work / "Containerfile", parts.base)
    buildah(
        *(*build, "--tag", _TAG, "--file", CONTAINERFILE, "--ignorefile", ROOT / ".dockerignore"),
        *("--build-arg", f"BASE={_BASE}", "--build-arg", f"REVISION={REVISION}"),
        *("--build-arg", f"SOURCE={SOURCE}", "--secret", f"id=pip.conf,src={work}/pip.conf"),
        *("--volume", f"{parts.wheels}:/wheels:ro", "--output", f"type=local,dest={target}", ROOT),
    )
    said = buildah("inspect", "--type", "image", _TAG)
    shutil.rmtree(work)
    config: dict[str, Any] = json.decode(said)["Docker"]["config"]
    return config
