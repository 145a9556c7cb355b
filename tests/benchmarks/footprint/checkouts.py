"""Which code is measured: this checkout, and an older one beside it where one is named."""

import os
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
        """The environment of its processes, with these settings and no others."""
        inherited = {key: text for key, text in os.environ.items() if key[:8] != "GATEWAY_"}
        return inherited | {"PYTHONPATH": str(self.root)} | settings


HERE: Final = Checkout("now", _ROOT)
