"""Carries out commands on a connection of redis-py without a task that waits for the reply.

With redis-py a task waits, which is woken through a dozen coroutines; of an event that comes alone
that is a fifth of the cost. Here whoever calls is called back in the turn of the event loop in
which the reply was read.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from hiredis import Reader

__all__ = ["DirectCalls"]

_INCOMPLETE: Final = object()


class DirectCalls(asyncio.Protocol):
    """Has a connection for itself, from its making until `give_back`: redis-py must not use it.

    `transport` is that of a connection that redis-py has set up. Carries out one command at a time.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._streams: Any = transport.get_protocol()  # redis-py's, which is told of all but data
        self._reader = Reader(notEnoughData=_INCOMPLETE)
        self._tell: Callable[[Any], None] | None = None
        transport.set_protocol(self)

    @property
    def is_usable(self) -> bool:
        """Whether the connection stands."""
        return not self._transport.is_closing()

    def call(self, command: bytes, tell: Callable[[Any], None]) -> None:
        """Send a packed command; `tell` is called with its reply, in a later turn.

        An error of Redis's is told as an instance of an exception, and a connection that is lost
        as a ConnectionError; then the command may have been carried out.
        """
        self._tell = tell
        self._transport.write(command)

    def give_back(self) -> None:
        """Leave the connection to redis-py again; not while a reply is due."""
        if self.is_usable:
            self._transport.set_protocol(self._streams)

    def abandon(self) -> None:
        """Wait for no reply any more, and close the connection, on which it may still come."""
        self._tell = None
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Tell of a reply when it is there as a whole."""
        self._reader.feed(data)
        reply = self._reader.gets()
        if reply is not _INCOMPLETE:
            self._replied(reply)

    def eof_received(self) -> bool:
        """Close the connection, as the server has done."""
        self._streams.eof_received()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that there will be no reply."""
        self._streams.connection_lost(exc)
        self._replied(ConnectionError("the connection was lost"))

    def pause_writing(self) -> None:
        """Nothing: one command at a time is written."""
        self._streams.pause_writing()

    def resume_writing(self) -> None:
        """Nothing, as above."""
        self._streams.resume_writing()

    def _replied(self, reply: object) -> None:
        tell, self._tell = self._tell, None
        if tell is not None:
            tell(reply)
