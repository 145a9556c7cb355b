"""The programs on Node.js that judge the contract: TypeScript's compiler, AsyncAPI's parser.

`python -m tests.support.node_tools` installs them, as tests/node/package-lock.json pins them, into
the virtual environment.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from msgspec import Struct

__all__ = ["NodeTools", "find_node_tools"]

_PINNED: Final = Path(__file__).parents[1] / "node"
_FILES: Final = ("package.json", "package-lock.json")
_INSTALLED: Final = Path(sys.prefix) / "node"


class NodeTools(Struct, frozen=True):
    """Node.js, and the directory in which its modules are found."""

    node: str
    directory: Path

    def run(
        self, *arguments: str | Path, text: str = "", directory: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """What `node` does with these arguments, and this text on standard input."""
        return subprocess.run(
            [self.node, *arguments],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
            cwd=directory or self.directory,
            env=os.environ | {"NODE_PATH": str(self.directory / "node_modules")},
        )


def find_node_tools() -> NodeTools | None:
    """Those that are installed as they are pinned now; None if they are not."""
    node = shutil.which("node")
    return NodeTools(node, _INSTALLED) if node and _is_as_pinned() else None


def _is_as_pinned() -> bool:
    """Whether what was installed last, and wholly, is what is wanted."""
    try:
        return all(
            (_INSTALLED / name).read_bytes() == (_PINNED / name).read_bytes() for name in _FILES
        )
    except OSError:
        return False


def _install() -> None:
    """Install them; whole, or not at all."""
    draft = _INSTALLED.with_suffix(f".{os.getpid()}")
    draft.mkdir()
    try:
        for name in _FILES:
            shutil.copy(_PINNED / name, draft)
        subprocess.run(
            ["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"],
            check=True,
            cwd=draft,
        )
        shutil.rmtree(_INSTALLED, ignore_errors=True)
        draft.rename(_INSTALLED)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def main() -> None:
    """Provide them if they are not there. That it cannot be done is told, and no failure."""
    if find_node_tools() is not None:
        return
    if not (shutil.which("npm") and shutil.which("node")):
        print("no npm: the tests of the contract with TypeScript and AsyncAPI will be skipped")
        return
    print(f"installing TypeScript's compiler and AsyncAPI's parser into {_INSTALLED} …")
    try:
        _install()
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"no TypeScript: {error}; the tests of the contract with it will be skipped")


if __name__ == "__main__":
    main()
