"""Keeps a target's HTTP connections from one message to the next.

Apprise's plugins call `requests.post`, which makes a session for each call and closes it with its
connection: a handshake for every message. Here a session is lent the adapter that holds the
connections of its target. Everything else of it, as its cookies and its headers, stays its own.

Connections are kept for a burst. What has rested for a second is closed before it is used again,
for servers close those that rest, and what is sent while one does so is lost on its way; and none
is older than a minute, so that a name which leads elsewhere is followed.
"""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter

__all__ = ["KeptConnections"]

_MAX_REST_S: Final = 1.0
_MAX_AGE_S: Final = 60.0


class _Adapter(HTTPAdapter):
    """An adapter that outlives the sessions which it is lent to."""

    def close(self) -> None:
        """Nothing: the session that closes it has only borrowed it."""

    def end(self) -> None:
        """Close what is at rest; what is in use is closed when it comes back."""
        super().close()


class KeptConnections:
    """The connections of one target, `most` of them at once. May be used by several threads.

    `now` gives seconds of a clock that never goes back.
    """

    def __init__(self, most: int, *, now: Callable[[], float] = time.monotonic) -> None:
        self._adapter = _Adapter(pool_connections=4, pool_maxsize=most)
        self._now = now
        self._serial = threading.Lock()
        self._begun_at = self._used_at = float("-inf")
        self._environments: dict[Hashable, dict[str, Any]] = {}

    def lend(self, session: requests.Session) -> None:
        """Let a session that is about to send use the connections.

        An adapter that a plugin has brought along stays in its place.
        """
        with self._serial:
            now = self._now()
            if now - self._used_at > _MAX_REST_S or now - self._begun_at > _MAX_AGE_S:
                self._adapter.end()
                self._begun_at = now
            self._used_at = now
        for prefix, adapter in tuple(session.adapters.items()):
            if type(adapter) is HTTPAdapter:
                session.mount(prefix, self._adapter)

    def used(self) -> None:
        """Note that an answer has come: from now on its connection is at rest."""
        with self._serial:
            self._used_at = self._now()

    def environment(self, key: Hashable, find: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What the environment says about requests (proxies, certificates), looked up once."""
        found = self._environments.get(key)
        if found is None:
            found = self._environments[key] = find()
        return found | {"proxies": dict(found["proxies"])}

    def close(self) -> None:
        """Close what is at rest. What is sent afterwards makes connections anew."""
        self._adapter.end()
