"""Which code is measured: this checkout, and an older one beside it where one is named."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from msgspec import Struct

__all__ = ["HERE", "Checkout"]

_ROOT: Final = Path(__file__).parents[3]


class Checkout(Struct, frozen=True):
    """A working copy of the gateway; both run on the libraries of this environment."""

    name: str
    root: Path

    def environment(self, **settings: str) -> dict[str, str]:
        """The environment of its processes, with these settings and no others.

        None of Python's variables either: one of them keeps bytecode from being stored.
        """
        inherited = {
            key: text
            for key, text in os.environ.items()
            if not key.startswith(("GATEWAY_", "PYTHON"))
        }
        return inherited | {"PYTHONPATH": str(self.root)} | settings

    def compile(self) -> None:
        """Store its bytecode, as an installation does, and as no start has to do any more."""
        packages = (self.root / "gateway", self.root / "consumers")
        subprocess.run([sys.executable, "-m", "compileall", "-q", *packages], check=True)


HERE: Final = Checkout("now", _ROOT)
