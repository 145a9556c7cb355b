"""Runs the process that loads: begun when there is something to load, ended when there is not.

The consumer has no library of a destination in memory. An entry is acknowledged when the process
has said that it is done; whenever it dies, that is a load that failed, and the next one begins
another process. docs/decisions/0012-warehouse-loads.md goes through the points of time.
"""

import asyncio
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from contextlib import suppress
from typing import Final

import structlog

from consumers.warehouse.destination_errors import DestinationAway, Unusable
from consumers.warehouse.loading_messages import (
    LENGTH_BYTES,
    Call,
    Done,
    Opening,
    Prepare,
    Reply,
    decode_reply,
    framed,
)
from gateway.closed_transports import closed_as_reset
from gateway.errors import GatewayError, OperatorError

__all__ = ["LoadFailed", "LoadingProcess", "ProcessDied", "RowUnfit"]

log = structlog.get_logger()

_CLOSING_S: Final = 5.0
_STDERR: Final = 2


class RowUnfit(GatewayError):
    """An event fits in no row; trying again cannot help."""


class LoadFailed(GatewayError):
    """The loading process met an error that nothing there knows; its log has the traceback."""


class ProcessDied(DestinationAway):
    """The loading process ended in the middle of a call. Somebody killed it, or the call did."""


class _Child:
    """A process and the socket to it."""

    def __init__(
        self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.process = process
        self._reader = reader
        self._writer = writer

    async def ask(self, call: Call) -> Reply:
        """Its reply. Raises EOFError or an OSError if it is gone."""
        with closed_as_reset():
            self._writer.write(framed(call))
            await self._writer.drain()
        length = int.from_bytes(await self._reader.readexactly(LENGTH_BYTES))
        return decode_reply(await self._reader.readexactly(length))

    def end(self) -> None:
        """Let it end after what it does now."""
        self._writer.close()

    async def ended(self, within_s: float) -> int:
        """How it ended: its exit code, or the negative number of a signal; killed if it is late."""
        self.end()
        try:
            async with asyncio.timeout(within_s):
                return await self.process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self.process.kill()
            return await self.process.wait()


class LoadingProcess:
    """Makes one call at a time in a process that ends after `idle_s` seconds without any."""

    def __init__(self, opening: Opening, *, idle_s: float) -> None:
        self._opening = opening
        self._idle_s = idle_s
        self._turn = asyncio.Lock()
        self._child: _Child | None = None
        self._idling: asyncio.TimerHandle | None = None
        self._leaving: list[_Child] = []

    @property
    def pid(self) -> int | None:
        """Of the process, if one runs."""
        child = self._child
        return child.process.pid if child and child.process.returncode is None else None

    async def call(self, call: Call, *, within_s: float) -> int:
        """How many rows were loaded; they are committed.

        Raises DestinationAway and its kinds, RowUnfit, LoadFailed and OperatorError. After
        `within_s` seconds, and when this is cancelled, the process is killed; the call may have
        been carried out, so let it be one that may be repeated.
        """
        async with self._turn:
            self._wake()
            if self.pid is None:
                self._let_go()  # one that died while nothing was asked of it
            child = self._child = self._child or await self._begun()
            try:
                async with asyncio.timeout(within_s):
                    reply = await child.ask(call)
            except TimeoutError as error:
                await self._kill(child)
                raise DestinationAway(f"no answer within {within_s:g} s") from error
            except (EOFError, OSError) as error:
                self._child = None
                code = await child.ended(_CLOSING_S)
                raise ProcessDied(_how_it_ended(code, call)) from error
            except BaseException:
                await self._kill(child)
                raise
            if isinstance(reply, Done) and reply.is_last:
                self._let_go()
            else:
                self._idling = asyncio.get_running_loop().call_later(self._idle_s, self._let_go)
        return _outcome(reply)

    async def close(self) -> None:
        """End the process; one that is still busy after five seconds is killed."""
        self._wake()
        self._let_go()
        for child in self._leaving:
            await child.ended(_CLOSING_S)

    async def _begun(self) -> _Child:
        ours, theirs = socket.socketpair()
        with theirs:
            command = (sys.executable, "-m", "consumers.warehouse.loading_child")
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    str(theirs.fileno()),
                    stdin=DEVNULL,
                    stdout=_STDERR,
                    pass_fds=(theirs.fileno(),),
                )
            except OSError as error:  # no memory, too many processes: not the entries' fault
                ours.close()
                raise DestinationAway(f"no process to load with can be begun: {error}") from error
        reader, writer = await asyncio.open_connection(sock=ours)
        writer.write(framed(self._opening))
        return _Child(process, reader, writer)

    async def _kill(self, child: _Child) -> None:
        self._child = None
        await child.ended(0.0)

    def _wake(self) -> None:
        if self._idling is not None:
            self._idling.cancel()
            self._idling = None

    def _let_go(self) -> None:
        """Let the process end by itself; the next call begins another one."""
        self._idling = None
        self._leaving = [one for one in self._leaving if one.process.returncode is None]
        if self._child is not None:
            self._child.end()
            self._leaving.append(self._child)
            self._child = None


def _outcome(reply: Reply) -> int:
    if isinstance(reply, Done):
        return reply.rows
    raise _ERRORS[reply.kind](reply.why)


_ERRORS: Final[dict[str, type[GatewayError]]] = {
    "away": DestinationAway,
    "unusable": Unusable,
    "unfit": RowUnfit,
    "operator": OperatorError,
    "unexpected": LoadFailed,
}


def _how_it_ended(code: int, call: Call) -> str:
    doing = "looked at the tables" if isinstance(call, Prepare) else "loaded"
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"the process that {doing} ended with {how}; another one tries again"
