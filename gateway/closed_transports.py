"""Makes of writing to a transport that is closed the error that asyncio has for it.

uvloop, which all processes run on, raises a bare RuntimeError, and whoever writes is prepared for
an OSError: https://github.com/MagicStack/uvloop/blob/v0.23.0/uvloop/handles/handle.pyx
"""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["closed_as_reset"]


@contextmanager
def closed_as_reset() -> Iterator[None]:
    """Raise ConnectionResetError, an OSError, where uvloop finds a transport closed."""
    try:
        yield
    except RuntimeError as error:
        if "is closed" not in str(error):
            raise
        raise ConnectionResetError("the other side has closed the connection") from error
