"""Watches what happens on the network while Apprise sends, and fences it in.

Apprise tells whether a message was accepted, and hides the rest in its plugins, which call
`requests`, `smtplib` or sockets themselves. Two hooks, inert outside of `watched`, give back what
the notifier needs:

* the status and `Retry-After` of the last HTTP response, taken where `requests` returns it, and
  whether something was sent to which no answer came
* a refusal to connect to a private address, taken where the interpreter connects a socket. The
  address judged is the one that is connected to, so neither a name that resolves differently the
  second time (DNS rebinding) nor a redirect gets around it. A proxy does: it is asked to connect
  by name.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache, partial, wraps
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import NewConnectionError

from consumers.notifier.kept_connections import KeptConnections
from gateway.network_fence import Fence
from gateway.retry_after import retry_after_s

__all__ = [
    "Exchange",
    "ask_to_wait",
    "refuse_content",
    "watched",
]

_CONNECTS: Final = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_MAX_RETRY_AFTER_S: Final = 3600.0
_REFUSALS: Final = frozenset({400, 413, 414, 422})
"""Statuses that are about what was sent, not about who sent it, where to, or when."""
_OF_PROXIES: Final = frozenset({502, 504})
"""Statuses of who had no answer, or none that it understood, of whom it had sent this on to."""


class Exchange:
    """One sending of one message over the target's `connections`, and what was seen of it."""

    def __init__(self, fence: Fence, connections: KeptConnections) -> None:
        self.fence = fence
        self.connections = connections
        self.status: int | None = None
        self.retry_after_s: float | None = None
        self.refused = False
        self.is_unsure = False
        """Whether what was sent last may have been accepted, though nobody said so."""
        self._statuses: set[int] = set()
        self._is_refused_by_plugin = False

    @property
    def is_refused_content(self) -> bool:
        """Whether all that was answered says that this message is not wanted as it is.

        What was answered otherwise besides, to a login or for another recipient, says that the
        message is no worse than others.
        """
        if self._is_refused_by_plugin:
            return not self._statuses
        return bool(self._statuses) and self._statuses <= _REFUSALS

    def answered(self, status: int, retry_after: str | None) -> None:
        """Note an HTTP response."""
        self.status = status
        self._statuses.add(status)
        self.is_unsure = status in _OF_PROXIES
        self.retry_after_s = retry_after_s(
            retry_after, now=datetime.now(UTC), most_s=_MAX_RETRY_AFTER_S
        )

    def unanswered(self, error: requests.RequestException) -> None:
        """Note that a request ended without a response; one without a connection was not sent."""
        reason = getattr(error.args[0], "reason", None) if error.args else None
        is_unsent = isinstance(error, requests.ConnectTimeout) or isinstance(
            reason, NewConnectionError
        )
        self.is_unsure = not is_unsent

    def refuse_content(self) -> None:
        """Note that the target refused the message, which a plugin without HTTP of its own says."""
        self._is_refused_by_plugin = True


_under_way: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


@contextmanager
def watched(exchange: Exchange) -> Iterator[None]:
    """Watch and fence in everything that this thread sends until the block ends."""
    _install()
    token = _under_way.set(exchange)
    try:
        yield
    finally:
        _under_way.reset(token)


def ask_to_wait(pause_s: float) -> None:
    """What a plugin says that knows how long its target wants to be left alone."""
    exchange = _under_way.get()
    if exchange is not None:
        exchange.retry_after_s = min(pause_s, _MAX_RETRY_AFTER_S)


def refuse_content() -> None:
    """What a plugin says whose target refused this message, and would take another one."""
    exchange = _under_way.get()
    if exchange is not None:
        exchange.refuse_content()


@cache
def _install() -> None:
    """Set the two hooks, once for the process: an audit hook cannot be removed."""
    sys.addaudithook(_judge)
    session = requests.Session
    session.send = _seen(session.send)  # type: ignore[method-assign]
    session.merge_environment_settings = _remembered(  # type: ignore[method-assign]
        session.merge_environment_settings
    )


def _judge(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _CONNECTS:
        return
    exchange = _under_way.get()
    if exchange is None:
        return
    address = arguments[1]
    if address is None:  # sendmsg on a socket that is connected
        return
    # The address of a local socket is a path, and this machine is private.
    host = str(address[0]) if isinstance(address, tuple) else ""
    if exchange.fence.allows_address(host):
        return
    exchange.refused = True
    raise exchange.fence.refusal()


def _seen(send: Callable[..., requests.Response]) -> Callable[..., requests.Response]:
    @wraps(send)
    def sending(
        session: requests.Session, request: requests.PreparedRequest, **options: Any
    ) -> requests.Response:
        exchange = _under_way.get()
        if exchange is None:
            return send(session, request, **options)
        exchange.connections.lend(session)
        try:
            response = send(session, request, **options)
        except requests.RequestException as error:
            exchange.unanswered(error)
            raise
        exchange.connections.used()
        exchange.answered(response.status_code, response.headers.get("Retry-After"))
        return response

    return sending


def _remembered(merge: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    @wraps(merge)
    def merging(
        session: requests.Session, url: str, proxies: Any, *arguments: Any
    ) -> dict[str, Any]:
        exchange = _under_way.get()
        find = partial(merge, session, url, proxies, *arguments)
        is_plain = not (proxies or session.proxies or session.cert) and session.verify is True
        if exchange is None or not is_plain or not session.trust_env:
            return find()
        return exchange.connections.environment((urlsplit(url)[:2], arguments), find)

    return merging
