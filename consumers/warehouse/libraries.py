"""Says whether the libraries are installed that the loading process needs, and imports none."""

from importlib.util import find_spec
from typing import Final

__all__ = ["require_libraries"]

_LIBRARIES: Final = ("dlt", "pyarrow")


def require_libraries() -> None:
    """Raise ModuleNotFoundError, as an import of it would, for the first one that is missing.

    The consumer and its commands import them in another process, or late; without them neither
    can do anything, and whoever starts it is to learn it then.
    """
    for name in _LIBRARIES:
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
