"""Loads for the consumer, in a process of its own: what it takes to load is in memory here alone.

It owns nothing that outlives it but what it has committed: the consumer keeps the entries until it
is told that they are. It ends when the consumer closes the socket or is gone, after the load that
is under way; signals are the consumer's business, which a terminal and systemd send to both.
"""

import gc
import select
import signal
import socket
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Final

import structlog
from msgspec import Struct

from consumers.warehouse import event_rows
from consumers.warehouse.destination import Destination, destination
from consumers.warehouse.destination_errors import DestinationAway, Unusable
from consumers.warehouse.loading_messages import (
    LENGTH_BYTES,
    Call,
    Done,
    Failed,
    Load,
    Opening,
    RawEntry,
    Reply,
    decode_call,
    decode_opening,
    framed,
)
from consumers.warehouse.opening import opened
from consumers.warehouse.other_event_rows import tables
from consumers.warehouse.row_loading import Warehouse
from gateway import logs
from gateway.contract import CloudEvent, decode_event
from gateway.errors import GatewayError, OperatorError

__all__ = ["main"]

log = structlog.get_logger()

_OBJECTS_BETWEEN_LOOKS: Final = 100_000
_LOADED_WITHOUT_A_PAUSE: Final = 500_000
_PAUSE_S: Final = 0.2
"""Between two loads of a backlog there is less."""
_EVERY_S: Final = 300.0
_IDLE_S: Final = 10.0
"""A stream that is not silent brings something to load every five seconds."""


class _DecodedEntry(Struct, frozen=True, gc=False):
    stream: str
    partition: int
    id: str
    event: CloudEvent


class _Answering:
    """Opens the warehouse with the first call, and makes what fails a reply."""

    def __init__(self, opening: Opening, stack: ExitStack) -> None:
        self._settings = opening.warehouse
        self._stack = stack
        self._target: Destination | None = None
        self._warehouse: Warehouse | None = None
        self._loaded_count = 0
        self._refreshed_at = time.monotonic()

    def reply(self, call: Call) -> Reply:
        """What comes of a call."""
        try:
            rows = self._carried_out(call)
        except event_rows.Unfit as error:
            return Failed("unfit", str(error))
        except Unusable as error:
            return Failed("unusable", str(error))
        except DestinationAway as error:
            return Failed("away", str(error))
        except OperatorError as error:
            return Failed("operator", str(error))
        except Exception as error:
            log.exception("loading failed in a way that is not known")
            return Failed("unexpected", f"{type(error).__name__}: {error}")
        return Done(rows, is_last=self._is_to_end())

    @property
    def had_no_pause(self) -> bool:
        """Whether so much was loaded without a pause that states have to be made in between."""
        return self._loaded_count >= _LOADED_WITHOUT_A_PAUSE

    @property
    def is_due(self) -> bool:
        """Whether states were made anew long enough ago for the next short pause to do."""
        return time.monotonic() - self._refreshed_at >= _EVERY_S

    def refresh(self) -> bool:
        """Do a moment's work on the states of comments, if there is some; whether there is more.

        What fails is told, and left until there has been another load.
        """
        if self._warehouse is None:
            return False
        is_more = False
        try:
            is_more = self._warehouse.refresh()
        except GatewayError as error:
            log.warning("states of comments were not made anew", error=str(error))
        except Exception:
            log.exception("making states anew failed in a way that is not known")
        if not is_more:
            self._loaded_count = 0
            self._refreshed_at = time.monotonic()
        return is_more

    def _carried_out(self, call: Call) -> int:
        if self._warehouse is None:
            self._target = destination(self._settings.destination)
            self._warehouse = self._stack.enter_context(opened(self._settings, self._target))
        if isinstance(call, Load):
            comments, others = tables(_decoded(call.entries), loaded_at=datetime.now(UTC))
            count = self._warehouse.load(comments, others)
            self._loaded_count += comments.num_rows
            return count
        self._warehouse.prepare()
        return 0

    def _is_to_end(self) -> bool:
        """Whether something was imported that the next load does not need, and that is large."""
        return self._target is not None and self._target.is_straight and "dlt" in sys.modules


def main() -> None:
    """Answer calls on the socket whose descriptor is the argument, until it is closed."""
    # Rows are made by ten thousands and hold no cycles: looking for some costs as much as making.
    gc.set_threshold(_OBJECTS_BETWEEN_LOOKS)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as channel, ExitStack() as stack:
        first = _received(channel)
        if first is None:
            return
        opening = decode_opening(first)
        logs.configure(opening.log, process="warehouse")
        answering = _Answering(opening, stack)
        while (encoded := _received(channel)) is not None:
            reply = answering.reply(decode_call(encoded))
            channel.sendall(framed(reply))
            if isinstance(reply, Done) and reply.is_last:
                return
            _use_the_pause(channel, answering)


def _decoded(entries: list[RawEntry]) -> list[_DecodedEntry]:
    return [_DecodedEntry(e.stream, e.partition, e.id, decode_event(e.raw)) for e in entries]


def _use_the_pause(channel: socket.socket, answering: _Answering) -> None:
    """Make states of comments anew until the next call comes; every few minutes, or when idle.

    Rarely, since a comment of which much comes within minutes needs it only once.
    """
    if answering.had_no_pause:
        answering.refresh()
    if _has_come(channel, _PAUSE_S) or (not answering.is_due and _has_come(channel, _IDLE_S)):
        return
    while answering.refresh() and not _has_come(channel, 0.0):
        pass


def _has_come(channel: socket.socket, within_s: float) -> bool:
    """Whether something has come, or the end, within so many seconds."""
    return bool(select.select((channel,), (), (), within_s)[0])


def _received(channel: socket.socket) -> bytes | None:
    """The next message; None if there will be none."""
    head = _read(channel, LENGTH_BYTES)
    return None if head is None else _read(channel, int.from_bytes(head))


def _read(channel: socket.socket, count: int) -> bytes | None:
    buffer = bytearray(count)
    filled = 0
    while filled < count:
        got = channel.recv_into(memoryview(buffer)[filled:])
        if not got:
            return None
        filled += got
    return bytes(buffer)


if __name__ == "__main__":
    main()
