"""Receives what is posted as cheaply as Python can, in a process of its own, and notes when.

`/hang` is never answered, all else with 204. `GET /deliveries` answers with a line for each
delivery so far: path, `webhook-id` and the moment by the machine's monotonic clock; `GET /count`
with how many there were. `GET /clear` forgets them.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

from tests.support.program import Program

__all__ = ["SinkProcess"]

_TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"
_deliveries: list[bytes] = []


class SinkProcess(Program):
    """The process, on a port."""

    def __init__(self, directory: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        super().__init__(
            (sys.executable, "-m", "tests.benchmarks.relay.sink", str(port)),
            log_file=directory / "sink.log",
            environment={},
            is_executed=True,
        )


class _Connection(asyncio.Protocol):
    """Takes one request after the other, as clients without pipelining send them."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._read = b""

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, found, body = self._read.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        self._read = b""
        path = head.split(b" ", 2)[1]
        if path == b"/hang":
            return
        if head.startswith(b"POST"):
            moment = b"%d" % time.monotonic_ns()
            _deliveries.append(b" ".join((path, _value(head, b"webhook-id:") or b"-", moment)))
            self._transport.write(_TAKEN)
            return
        answer = b"%d" % len(_deliveries) if path == b"/count" else b"\n".join(_deliveries)
        if path == b"/clear":
            _deliveries.clear()
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer))
        self._transport.write(answer)


def _length(head: bytes) -> int:
    return int(_value(head, b"content-length:") or 0)


def _value(head: bytes, name: bytes) -> bytes:
    at = head.lower().find(b"\r\n" + name)
    return head[at + 2 + len(name) :].partition(b"\r\n")[0].strip() if at >= 0 else b""


async def _main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1])))
