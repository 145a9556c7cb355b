"""The unit tests on each Python that pyproject.toml claims, as far as this machine has it.

`python -m tests.pythons [TESTS …]`, with the standard library alone. It looks for `python3.N` on
the PATH and among the versions of pyenv, makes an environment in build/pythons for each, with the
versions of requirements/dev.txt, and ends with a table. It fails if the tests of one do; one that
is not here is only told.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["claimed", "interpreter"]

ROOT: Final = Path(__file__).parents[1]
_ENVIRONMENTS: Final = ROOT / "build" / "pythons"
_CLASSIFIER: Final = re.compile(r"Programming Language :: Python :: (3\.\d+)")


def claimed() -> list[str]:
    """The versions that the package's classifiers name, as `3.N`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [found[1] for line in project["classifiers"] if (found := _CLASSIFIER.fullmatch(line))]


def interpreter(version: str) -> Path | None:
    """The first Python of this version that runs; None if this machine has none."""
    return next((python for python in _candidates(version) if _runs(python, version)), None)


def _candidates(version: str) -> Iterator[Path]:
    if (on_path := shutil.which(f"python{version}")) is not None:
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))


def _runs(python: Path, version: str) -> bool:
    """Whether it is what it is called and can make environments: pyenv has a `python3.N` on the
    PATH that runs nothing, and Debian's Python may lack its module venv.
    """
    asked = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    answer = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=False)
    return answer.returncode == 0 and answer.stdout.strip() == version


def _tested(python: Path, version: str, tests: list[str]) -> bool:
    """Install everything for this Python, and run the tests on it; whether all went well."""
    environment = _ENVIRONMENTS / version
    inside = environment / "bin" / "python"
    pip = (inside, "-m", "pip", "--disable-pip-version-check", "--quiet")
    pytest = (inside, "-m", "pytest", "-n", "auto", "--dist", "loadfile")
    steps: tuple[tuple[str | Path, ...], ...] = (
        (python, "-m", "venv", environment),
        (*pip, "install", "--require-hashes", "-r", "requirements/dev.txt"),
        (*pip, "install", "--no-deps", "--no-build-isolation", "--no-index", "-e", "."),
        (*pytest, *(tests or ["tests/unit"])),
    )
    return all(subprocess.run(step, cwd=ROOT, check=False).returncode == 0 for step in steps)


def main(tests: list[str]) -> int:
    """Test each Python in turn; the exit code."""
    outcomes: dict[str, str] = {}
    for version in claimed():
        python = interpreter(version)
        if python is None:
            outcomes[version] = "not on this machine"
            continue
        print(f"Python {version}: {python}", flush=True)
        outcomes[version] = "passed" if _tested(python, version, tests) else "FAILED"
    for version, outcome in outcomes.items():
        print(f"Python {version:<6} {outcome}")
    return int("FAILED" in outcomes.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
