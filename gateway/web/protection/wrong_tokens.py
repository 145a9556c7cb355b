"""Decides how long the answer to a wrong token waits: longer with each that a client gives.

A client who asks for many things at once is slowed down less; what keeps tokens from being guessed
is their length.
"""

from typing import Final

from gateway.web.protection.clients import Clients

__all__ = ["WrongTokens"]

_FIRST_S: Final = 0.1
_LONGEST_S: Final = 2.0
_MOST_DOUBLINGS: Final = 5
_FORGOTTEN_S: Final = 60.0
_MOST_CLIENTS: Final = 1024
# Whoever has more addresses than that waits the shortest time.


class WrongTokens:
    """Counts wrong tokens by client, of the last 1,024 who gave one; times are of any clock."""

    def __init__(self) -> None:
        self._clients = Clients(())
        self._given: dict[str, tuple[int, float]] = {}

    def delay_s(self, peer: str | None, *, now: float) -> float:
        """Note a wrong token; how long its answer is to wait, two seconds at most.

        A client who gave none for a minute is as one who never did.
        """
        client = self._clients.of(peer, ())
        count, at = self._given.pop(client, (0, now))
        if now - at > _FORGOTTEN_S:
            count = 0
        if len(self._given) >= _MOST_CLIENTS:
            del self._given[next(iter(self._given))]
        self._given[client] = (min(count + 1, _MOST_DOUBLINGS), now)
        return min(_FIRST_S * 2.0**count, _LONGEST_S)
