"""Writes constraints.txt and requirements/ anew from pyproject.toml: `make constraints`.

`python -m tests.pinned_requirements UV`, with the program uv and the standard library alone.
Versions stay as constraints.txt has them unless pyproject.toml wants others; whoever takes a line
out of it gets the newest of that package. One resolution fits every Python that is claimed: what
differs stands behind a marker.

A file of requirements/ names the one that it adds to, so that each hash stands in one place.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

__all__ = ["CONSTRAINTS", "DIRECTORY", "FILES", "RequirementFile", "chain", "packages"]

_ROOT: Final = Path(__file__).parents[1]
CONSTRAINTS: Final = _ROOT / "constraints.txt"
DIRECTORY: Final = _ROOT / "requirements"
_OLDEST_PYTHON: Final = "3.11"
_HEAD: Final = """\
# {purpose}. Made by `make constraints`.
# What has no wheel is refused: building it would take tools that nobody has checked.
--only-binary :all:
"""


class RequirementFile(NamedTuple):
    """Says what a file is for, and which extras and groups it adds to those of another."""

    purpose: str
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    below: str | None = None


FILES: Final = {
    "build": RequirementFile("What makes wheel, SBOM and these files", groups=("build",)),
    "receiver": RequirementFile("An image of receivers alone", ("console", "tracing", "vault")),
    "image": RequirementFile(
        "The image of every process, which has no server",
        ("audit", "notifier", "warehouse", "warehouse-postgres"),
        below="receiver",
    ),
    "run": RequirementFile("`make run`", ("all",), ("backend",), below="image"),
    "dev": RequirementFile("`make test` and `make check`", ("dev",), below="run"),
    "bench": RequirementFile("`make bench-…`", ("bench",), below="dev"),
    "faults": RequirementFile("`make test-faults`", ("faults",), below="dev"),
    "fuzz": RequirementFile("`make fuzz`", ("fuzz",), below="dev"),
}
"""In this order, so that what a file adds to is there before it."""

_PACKAGE: Final = re.compile(r"^([\w.-]+)==.*(?:\n    --hash=.*)*\n", re.MULTILINE)


def packages(text: str) -> dict[str, str]:
    """The lines of each package, by its name; several where its version depends on the Python."""
    found: dict[str, str] = {}
    for one in _PACKAGE.finditer(text):
        found[one[1]] = found.get(one[1], "") + one[0]
    return found


def _compiled(uv: str, names: list[str], *options: str) -> dict[str, str]:
    """What all that these files have comes to."""
    files = [FILES[name] for name in names]
    extras = {extra for file in files for extra in file.extras}
    groups = {group for file in files for group in file.groups}
    command = (
        *(uv, "pip", "compile", "--quiet", "--universal", "--python-version", _OLDEST_PYTHON),
        *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
        *("--only-binary", ":all:", *options),
        *(word for group in sorted(groups) for word in ("--group", group)),
        *(word for extra in sorted(extras) for word in ("--extra", extra)),
        *(["pyproject.toml"] if extras else []),
    )
    done = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return packages(done.stdout)


def chain(name: str | None) -> list[str]:
    """A file and all that it adds to."""
    return [] if name is None else [name, *chain(FILES[name].below)]


def main(uv: str) -> None:
    """Write all of them. Raises CalledProcessError, and has changed nothing then."""
    with TemporaryDirectory() as scratch:
        # uv keeps the versions of a file that it is to write.
        draft = Path(shutil.copy(CONSTRAINTS, scratch))
        _compiled(uv, [*FILES], "--output-file", str(draft))
        pins = ("--constraints", str(draft))
        # Lines are those of the whole, whose markers are the widest, so no package stands twice.
        hashed = _compiled(uv, [*FILES], *pins, "--generate-hashes")
        names = {name: _compiled(uv, chain(name), *pins).keys() for name in FILES}
        pinned = packages(draft.read_text())
    CONSTRAINTS.write_text("".join(pinned.values()))
    DIRECTORY.mkdir(exist_ok=True)
    for name, file in FILES.items():
        text = _HEAD.format(purpose=file.purpose)
        text += f"-r {file.below}.txt\n" if file.below else ""
        own = sorted(names[name] - names.get(file.below or "", set()))
        (DIRECTORY / f"{name}.txt").write_text(text + "".join(hashed[one] for one in own))


if __name__ == "__main__":
    main(sys.argv[1])
