"""What a process says of itself while something fails, held against what it does.

`Watch` asks, `lies_of_receiver` judges: a receiver is ready when it takes deliveries, and alive
when it answers at all. Between what is asked and what happens is a moment, so that only what was
untrue before and after it counts.
"""

import http.client
import threading
import time
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from gateway.drill.delivery_load import LoadDelivery

__all__ = ["Saying", "Watch", "lies_of_receiver"]

_EVERY_S: Final = 0.2
_TIMEOUT_S: Final = 5.0
_AROUND_S: Final = 3.0  # longer than [publish] deadline_s, after which an answer is certain
_ENOUGH: Final = 3


class Saying(Struct, frozen=True):
    """What a probe was answered with at a moment (monotonic seconds); 0 for no answer."""

    at: float
    path: str
    status: int


class Watch:
    """Asks the probes of one process, in a thread of its own, until it is closed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.sayings: list[Saying] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ask no more. May be repeated."""
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(_EVERY_S):
            for path in ("/readyz", "/healthz"):
                self.sayings.append(Saying(time.monotonic(), path, _status(self._port, path)))


def _status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def lies_of_receiver(sayings: Sequence[Saying], deliveries: Sequence[LoadDelivery]) -> list[Saying]:
    """What was said and not so; `deliveries` are those of this receiver.

    A probe without an answer says nothing: the process may just have been killed.
    """
    return [saying for saying in sayings if saying.status and _is_untrue(saying, deliveries)]


def _is_untrue(saying: Saying, deliveries: Sequence[LoadDelivery]) -> bool:
    if saying.status not in {200, 503}:
        return True
    near = [one for one in deliveries if abs(one.sent_at - saying.at) <= _AROUND_S]
    if len(near) < _ENOUGH:
        return False
    is_good = saying.status == 200
    if saying.path == "/readyz":
        took = [one.is_accepted for one in near]
    else:
        took = [one.status is not None for one in near]
    return not any(took) if is_good else all(took)
