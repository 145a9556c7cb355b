"""Loads for the consumer, in a process of its own: what it takes to load is in memory here alone.

It owns nothing that outlives it but what it has committed: the consumer keeps the entries until it
is told that they are. It ends when the consumer closes the socket or is gone, after the load that
is under way; signals are the consumer's business, which a terminal and systemd send to both.
"""

import gc
import signal
import socket
import sys
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
from consumers.warehouse.row_loading import Warehouse
from gateway import logs
from gateway.contract import CloudEvent, decode_event
from gateway.errors import OperatorError

__all__ = ["main"]

log = structlog.get_logger()

_OBJECTS_BETWEEN_LOOKS: Final = 100_000


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

    def _carried_out(self, call: Call) -> int:
        if self._warehouse is None:
            self._target = destination(self._settings.destination)
            self._warehouse = self._stack.enter_context(opened(self._settings, self._target))
        if isinstance(call, Load):
            rows = event_rows.table(_decoded(call.entries), loaded_at=datetime.now(UTC))
            return self._warehouse.load(rows)
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


def _decoded(entries: list[RawEntry]) -> list[_DecodedEntry]:
    return [_DecodedEntry(e.stream, e.partition, e.id, decode_event(e.raw)) for e in entries]


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
