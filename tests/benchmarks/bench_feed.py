"""What the feed costs with a thousand clients who follow it, and with some who never read.

The real process and a real server; the clients are in this process, count what they get and take
their share of the machine. Bars, with 1,000 streams at 200 events a second: under 200 MB (PSS), and
one core. Each client gets every event, or the benchmark fails.
"""

import asyncio
import re
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
import uvloop
from msgspec import Struct
from redis.asyncio import Redis

from consumers.testing import comment_event
from gateway.contract import Comment, CommentEvent, encode_event
from gateway.local.redis_server import RedisServer, find_server
from gateway.redis_access import connections
from tests.benchmarks.figure import Figure, at_most
from tests.benchmarks.footprint.process_memory import pss_mb
from tests.benchmarks.load import cpu_seconds
from tests.benchmarks.recorded_run import Recorder, arguments
from tests.integration.feed.feed_client import TOKEN, FeedClient, feed_process, is_answering
from tests.integration.runtime.running import publish as add
from tests.support.consumer_process import ConsumerProcess
from tests.support.eventually import eventually

KEY: Final = "b24:comments:{0}"
STREAMS: Final = 1000
DEAF: Final = 500
_BACKLOG: Final = 5000
"""Events of before, with which those begin who never read."""
BAR_MB: Final = 200
BAR_CORES: Final = 1.0
_TEXT: Final = "Discount of 19% agreed with their boss, who wants the offer by Friday. " * 4
_DATA: Final = b"\ndata: "
_READS: Final = ("xread", "xrange", "xrevrange")
_BUFFER: Final = bytearray(1 << 18)
"""Of all clients: what is read is counted at once."""


class CountingClient(asyncio.BufferedProtocol):
    """Follows, and counts events; or never reads."""

    def __init__(self, *, reads: bool = True) -> None:
        self.events = 0
        self.has_begun = False
        self._reads = reads
        self._tail = b""

    def connection_made(self, transport: Any) -> None:
        transport.write(_request("newest" if self._reads else "oldest"))

    def get_buffer(self, sizehint: int) -> bytearray:
        del sizehint
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        # The end of what came before is looked at again: the word may have been cut in two.
        found = self._tail + _BUFFER[:nbytes]
        self.has_begun = True
        self.events += found.count(_DATA)
        self._tail = bytes(found[1 - len(_DATA) :])


def _request(after: str) -> bytes:
    head = f"GET /events/stream?after={after} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    return f"{head}Authorization: Bearer {TOKEN}\r\n\r\n".encode()


async def _connected(port: int, *, reads: bool) -> tuple[asyncio.Transport, CountingClient]:
    sock = socket.socket()
    sock.setblocking(False)
    if not reads:  # else the kernel reads megabytes for it
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", port))
    made = await loop.create_connection(lambda: CountingClient(reads=reads), sock=sock)
    if not reads:
        made[0].pause_reading()
    return made


class Turn(Struct, frozen=True):
    """What one round has shown."""

    cores: float
    most_mb: float
    at_rest_mb: float
    late_ms: Sequence[float]
    sent_per_s: float
    cut: int
    reads_per_s: float


@asynccontextmanager
async def clients(port: int, count: int, *, reads: bool = True) -> AsyncIterator[list[Any]]:
    """So many who follow."""
    made = [await _connected(port, reads=reads) for _ in range(count)]
    try:
        yield [protocol for _, protocol in made]
    finally:
        for transport, _ in made:
            transport.abort()


def event_of(number: int) -> CommentEvent:
    """An event of some 1,100 bytes."""
    comment = Comment(state="present", text=_TEXT, text_plain=_TEXT, author_id=7)
    return comment_event(number % 500 + 1, comment=comment)


class Publisher:
    """Adds events at a rate, each by itself, and knows when."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.at: dict[str, float] = {}

    async def run(self, rate: float, seconds: float) -> None:
        """Add for so long."""
        begun = time.perf_counter()
        for number in range(round(rate * seconds)):
            await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
            event = event_of(number)
            self.at[event.id] = time.perf_counter()
            await self._redis.xadd(KEY, {"event": encode_event(event)})


async def lateness_ms(
    client: FeedClient, publisher: Publisher, begun: asyncio.Event
) -> list[float]:
    """How long after it was stored each event came to one more client, who reads what it says."""
    found: list[float] = []
    async with client.stream() as events:
        begun.set()
        async for event in events:
            if event.data:
                event_id = msgspec.json.decode(event.data)["id"]
                found.append((time.perf_counter() - publisher.at[event_id]) * 1000)
    return found


async def calls(redis: Redis) -> dict[str, int]:
    """How often the server was asked to read."""
    stats: Any = await redis.info("commandstats")
    return {name: int(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"]) for name in _READS}


async def turn(
    directory: Path, url: str, *, streams: int, deaf: int, rate: float, seconds: float
) -> Turn:
    """One round with a process of its own, on an empty server."""
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(connections.control(url, timeout_s=30))
        await redis.flushall()
        await add(redis, KEY, [event_of(number) for number in range(_BACKLOG)])
        process, port = stack.enter_context(
            feed_process(
                url,
                directory,
                is_executed=True,
                max_requests_per_token=str(streams + deaf + 1),
                send_timeout_s="10",
            )
        )
        process.launch()
        session = await stack.enter_async_context(aiohttp.ClientSession())
        client = FeedClient(port, session)
        await eventually(lambda: is_answering(client))
        at_rest_mb = pss_mb(process.pid)
        following = await stack.enter_async_context(clients(port, streams))
        await stack.enter_async_context(clients(port, deaf, reads=False))
        publisher, begun = Publisher(redis), asyncio.Event()
        measuring = asyncio.create_task(lateness_ms(client, publisher, begun))
        await begun.wait()
        await eventually(lambda: all(one.has_begun for one in following))
        before, cpu_s, clock_s = await calls(redis), cpu_seconds(process.pid), time.perf_counter()
        publishing = asyncio.create_task(publisher.run(rate, seconds))
        memory = []
        while not publishing.done():
            memory.append(pss_mb(process.pid))
            await asyncio.wait([publishing], timeout=0.5)
        await eventually(lambda: min(one.events for one in following) >= len(publisher.at))
        took_s = time.perf_counter() - clock_s
        cores = (cpu_seconds(process.pid) - cpu_s) / took_s
        after, cut = await calls(redis), await cut_as_slow(session, process)
        assert await process.stop() == 0
        late_ms = await measuring
    if {one.events for one in following} != {len(publisher.at)}:
        raise SystemExit("not every client got each event once")
    return Turn(
        cores=cores,
        at_rest_mb=at_rest_mb,
        most_mb=max(memory),
        late_ms=late_ms,
        cut=cut,
        sent_per_s=streams * len(publisher.at) / took_s,
        reads_per_s=sum(after[name] - before[name] for name in _READS) / took_s,
    )


async def cut_as_slow(session: aiohttp.ClientSession, process: ConsumerProcess) -> int:
    """How many clients the process has cut since they did not read."""
    (told,) = process.lines("health and metrics")
    async with session.get(told["url"]) as answer:
        text = await answer.text()
    (count,) = re.findall(r'b24_feed_connections_cut_total\{reason="slow"\} (\S+)', text)
    return int(float(count))


def show(name: str, it: Turn) -> None:
    """Print a round."""
    middle, most = statistics.median(it.late_ms), statistics.quantiles(it.late_ms, n=100)[98]
    print(
        f"{name}: {it.cores:.2f} cores, {it.at_rest_mb:.0f} MB at rest and {it.most_mb:.0f} at "
        f"most (PSS), {it.sent_per_s:,.0f} events/s to clients, {it.reads_per_s:.0f} reads/s of "
        f"Redis, {middle:.0f} ms from the stream to a client (p99 {most:.0f}), {it.cut} cut"
    )


async def measured(directory: Path, url: str, rate: float, seconds: float) -> list[Figure]:
    """A round in which all read, and one in which half as many more never do."""
    alone = await turn(directory, url, streams=STREAMS, deaf=0, rate=rate, seconds=seconds)
    show(f"{STREAMS} streams", alone)
    beside = await turn(directory, url, streams=STREAMS, deaf=DEAF, rate=rate, seconds=seconds)
    show(f"{STREAMS} streams, and {DEAF} that never read", beside)
    return [
        at_most("memory", alone.most_mb, BAR_MB, "MB"),
        at_most("processor", alone.cores, BAR_CORES, "cores"),
        at_most(f"memory, with {DEAF} more that never read", beside.most_mb, BAR_MB, "MB"),
        at_most(f"processor, with {DEAF} more that never read", beside.cores, BAR_CORES, "cores"),
    ]


def main() -> int:
    """Run once; exit code 1 above a bar."""
    parser = arguments(__doc__)
    parser.add_argument("--rate", type=float, default=200.0, help="events a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each round")
    options = parser.parse_args()
    recorder = Recorder("feed", options.json)
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(find_server(), Path(directory) / "redis")
        server.start()
        try:
            rounds = measured(Path(directory), server.url, options.rate, options.seconds)
            figures = uvloop.run(rounds)
        finally:
            server.stop()
    return recorder.concluded(figures)


if __name__ == "__main__":
    sys.exit(main())
