"""What `make release` refuses, and how images get their digests."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from gateway import __version__
from tests.integration.deploy.files import ROOT

DIGEST = f"sha256:{'0123456789abcdef' * 4}"
FILES = (
    "Makefile",
    "gateway/__init__.py",
    "deploy/Containerfile",
    "deploy/compose.yaml",
    "requirements/build.txt",
)
# No registry can be asked here: this says what one would.
DOCKER = f"""#!/bin/sh
[ "$1 $2 $3" = "buildx imagetools inspect" ] && echo "{DIGEST}"
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A commit of its own with what a release looks at, as it is between releases."""
    directory = tmp_path / "source"
    for name in FILES:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        text = (ROOT / name).read_text()
        (directory / name).write_text(re.sub(r"@sha256:\w+", "", text))
    git(directory, "init", "--quiet")
    commit(directory)
    return directory


def git(directory: Path, *words: str) -> None:
    somebody = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.com")
    subprocess.run(("git", *somebody, *words), cwd=directory, check=True)


def commit(directory: Path) -> None:
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--allow-empty", "--message", "A state")


def make(target: str, directory: Path, programs: Path | None = None) -> tuple[int, str]:
    """How `make` ends, and what it says."""
    path = os.pathsep.join([str(programs)] * bool(programs) + [os.environ["PATH"]])
    done = subprocess.run(
        ("make", "--silent", target),
        cwd=directory,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def with_digests(directory: Path) -> str:
    programs = directory.parent / "programs"
    programs.mkdir(exist_ok=True)
    (programs / "docker").write_text(DOCKER)
    (programs / "docker").chmod(0o755)
    code, said = make("digests", directory, programs)
    assert code == 0, said
    return said


def test_each_image_gets_the_digest_that_its_registry_says(source: Path) -> None:
    (source / "deploy/compose.yaml").write_text(
        (source / "deploy/compose.yaml").read_text().replace("-alpine", f"-alpine@{DIGEST[::-1]}")
    )

    said = with_digests(source)

    images = ("docker.io/library/python:3.13-slim-bookworm", "valkey/valkey:9.1-alpine")
    assert all(f"{image}@{DIGEST}" in said for image in images)
    containerfile = (source / "deploy/Containerfile").read_text()
    compose = (source / "deploy/compose.yaml").read_text()
    assert f"\nARG BASE={images[0]}@{DIGEST}\n" in containerfile
    assert f"\n    image: {images[1]}@{DIGEST}\n" in compose
    assert containerfile.count(DIGEST) == compose.count(DIGEST) == 1
    assert "image: bitrix24-event-gateway\n" in compose


def test_only_a_commit_that_bears_its_tag_with_a_base_by_digest_is_released(source: Path) -> None:
    tag = f"v{__version__}"
    assert f"HEAD does not bear the tag {tag}" in make("release", source)[1]

    git(source, "tag", tag)
    assert "the base of the image has no digest" in make("release", source)[1]

    with_digests(source)
    assert "there is more here than the commit has" in make("release", source)[1]

    commit(source)
    code, said = make("release", source)
    assert code != 0
    assert "HEAD does not bear the tag" in said
