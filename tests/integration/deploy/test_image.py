"""What is in the image, as it is built of deploy/Containerfile."""

import json
import re
import stat
import subprocess
from typing import Any, Final

import pytest

from gateway import __version__
from tests.integration.deploy.image import REVISION, SOURCE, BuiltImage, built_image

_ENVIRONMENT: Final = "opt/gateway"
_SBOM: Final = f"{_ENVIRONMENT}/share/sbom.cdx.json"
_INSTALLED: Final = """
from importlib.metadata import distributions
for one in distributions():
    print(one.name, one.version)
"""
_INSTALLERS: Final = {"cc", "cyclonedx-py", "g++", "gcc", "make", "pip", "pip3", "uv"}
_OWNER_OF_VOLUME: Final = 10001
_MAX_BYTES: Final = 600_000_000


def named(name: str) -> str:
    """A package's name, as everybody spells it who compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_in(image: BuiltImage) -> set[tuple[str, str]]:
    """Names and versions, as the Python in the image finds them."""
    said = subprocess.run(
        ("chroot", image.root, f"/{_ENVIRONMENT}/bin/python", "-c", _INSTALLED),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return {(named(line.split()[0]), line.split()[1]) for line in said.splitlines()}


# All claims are of one test, so that one worker waits while the image is built, and not each.
@pytest.mark.timeout(900)
def test_the_image_has_what_runs_and_nothing_else(subtests: pytest.Subtests) -> None:
    image = built_image()
    every = {str(one.relative_to(image.root)): one.lstat() for one in image.root.rglob("*")}
    files = {path: state for path, state in every.items() if stat.S_ISREG(state.st_mode)}
    ours = {path: state for path, state in every.items() if path.startswith(_ENVIRONMENT)}

    with subtests.test("it says what it is, and what it is made of"):
        labels = {
            name.removeprefix("org.opencontainers.image."): text
            for name, text in image.config["Labels"].items()
        }
        assert labels["version"] == __version__
        assert (labels["revision"], labels["source"]) == (REVISION, SOURCE)
        assert labels["licenses"] == "MIT"
        assert labels["base.name"].startswith("localhost/")

    with subtests.test("it is a user without rights who runs the receiver, unless told otherwise"):
        assert image.config["User"] == "10001:10001"
        assert image.config["Cmd"] == ["gateway", "serve"]
        assert not image.config["Entrypoint"]
        assert "gateway:x:10001:10001:" in (image.root / "etc/passwd").read_text()

    with subtests.test("nothing in it installs or compiles"):
        programs = {path for path, state in every.items() if not stat.S_ISDIR(state.st_mode)}
        assert {path.rpartition("/")[2] for path in programs} & _INSTALLERS == set()
        assert [path for path in every if path.endswith(("/pip", "/ensurepip"))] == []

    with subtests.test("nothing in it gives rights"):
        risen = [path for path, state in files.items() if state.st_mode & 0o6000]
        assert risen == []

    with subtests.test("nobody may change the program, and everybody may read it"):
        modes = {
            path: state.st_mode for path, state in ours.items() if not stat.S_ISLNK(state.st_mode)
        }
        assert [path for path, mode in modes.items() if mode & 0o022] == []
        assert [path for path, mode in modes.items() if not mode & 0o004] == []
        assert {(state.st_uid, state.st_gid) for state in ours.values()} == {(0, 0)}

    with subtests.test("the volume is of the user"):
        volume = every["var/lib/gateway"]
        assert (volume.st_uid, volume.st_gid) == (_OWNER_OF_VOLUME, _OWNER_OF_VOLUME)
        assert stat.S_IMODE(volume.st_mode) == 0o750

    with subtests.test("nothing of the build is left, nor what it was told in confidence"):
        assert not {"build", "etc/pip.conf"} & every.keys()
        assert [path for path in files if path.startswith(("tmp/", "root/", "run/secrets"))] == []
        assert "find-links" not in json.dumps(image.config)

    with subtests.test("all of ours is compiled, since nothing can be written down later"):
        modules = [path for path in files if path.endswith(".py") and "/site-packages/ga" in path]
        assert modules
        compiled = {re.sub(r"__pycache__/|\.cpython-\d+", "", path) for path in files}
        assert [path for path in modules if f"{path}c" not in compiled] == []

    with subtests.test("the SBOM lists what is installed"):
        sbom: dict[str, Any] = json.loads((image.root / _SBOM).read_bytes())
        listed = {(named(one["name"]), one["version"]) for one in sbom["components"]}
        itself = sbom["metadata"]["component"]
        assert (itself["name"], itself["version"]) == ("bitrix24-event-gateway", __version__)
        assert listed | {(itself["name"], itself["version"])} == installed_in(image)

    with subtests.test("it is not larger than it was"):
        assert sum(state.st_size for state in files.values()) < _MAX_BYTES
