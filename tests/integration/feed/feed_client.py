"""Runs the feed within a test or as a process, and reads it as a client does."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import aiohttp
import msgspec
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from consumers.feed import serve
from consumers.feed.access_tokens import digest_of
from gateway.contract import CloudEvent, EventSubject, Streams, encode_event
from gateway.local.redis_server import free_port
from gateway.settings import (
    ConsumersSettings,
    FeedSettings,
    FeedTokenSettings,
    RedisSettings,
    Settings,
)
from tests.support.consumer_process import ConsumerProcess
from tests.support.eventually import eventually

__all__ = [
    "TOKEN",
    "FeedClient",
    "SseEvent",
    "feed_process",
    "following",
    "ids_on",
    "is_answering",
    "numbers",
    "open_feed",
    "put",
    "sse_events",
    "token",
]

TOKEN: Final = "b24feed_fake-token-of-a-reader-that-nobody-else-has"
"""Sees everything, with texts."""


class SseEvent(msgspec.Struct):
    """An event of a stream as the standard has it dispatched; a heartbeat has no data."""

    id: str
    event: str
    data: str

    @property
    def event_id(self) -> str:
        """The id of the event that it has."""
        return str(msgspec.json.decode(self.data)["id"])

    @property
    def number(self) -> int:
        """The number of the comment that it is about."""
        return int(msgspec.json.decode(self.data)["subject"].partition("/")[2])


class FeedClient:
    """Asks one feed with one token."""

    def __init__(self, port: int, session: aiohttp.ClientSession, text: str = TOKEN) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.session = session
        self.headers = {"Authorization": f"Bearer {text}"} if text else {}
        self.stopping = asyncio.Event()

    def stop(self) -> None:
        """Stop a feed of this process, as by SIGTERM."""
        self.stopping.set()

    @staticmethod
    def open_streams() -> float:
        """How many streams a feed of this process has open for the token that sees everything."""
        return REGISTRY.get_sample_value("b24_feed_streams", {"token": "all"}) or 0.0

    def of(self, text: str) -> "FeedClient":
        """The same with another token."""
        return FeedClient(self.port, self.session, text)

    async def get(self, path: str = "/events", **query: str) -> tuple[int, Any]:
        """The status and the answer."""
        async with self.session.get(self.url + path, params=query, headers=self.headers) as answer:
            return answer.status, await answer.json()

    async def page(self, **query: str) -> Any:
        """A page, which there must be."""
        status, answer = await self.get(**query)
        assert status == 200, answer
        return answer

    async def events(self, after: str, **query: str) -> list[Any]:
        """All events behind a cursor, page by page."""
        found: list[Any] = []
        while True:
            page = await self.page(after=after, **query)
            found += page["events"]
            after = page["cursor"]
            if not page["more"]:
                return found

    async def all(self, after: str, **query: str) -> list[int]:
        """The numbers of the comments that these are about."""
        return numbers({"events": await self.events(after, **query)})

    async def ids(self, after: str, **query: str) -> list[str]:
        """The ids of these."""
        return [event["id"] for event in await self.events(after, **query)]

    @asynccontextmanager
    async def stream(
        self, *, last: str = "", **query: str
    ) -> AsyncIterator[AsyncIterator[SseEvent]]:
        """A stream; `last` is sent as `Last-Event-ID`. Raises ClientError for what is none."""
        headers = self.headers | {"Accept": "text/event-stream"}
        if last:
            headers["Last-Event-ID"] = last
        timeout = aiohttp.ClientTimeout(total=None, sock_read=60)
        async with self.session.get(
            f"{self.url}/events", params=query, headers=headers, timeout=timeout
        ) as answer:
            answer.raise_for_status()
            assert answer.content_type == "text/event-stream"
            yield sse_events(answer.content)


def numbers(page: Any) -> list[int]:
    """The numbers of the comments that the events of a page are about."""
    return [int(event["subject"].partition("/")[2]) for event in page["events"]]


async def sse_events(content: aiohttp.StreamReader) -> AsyncIterator[SseEvent]:
    """By the rules of the standard, for what the feed sends.

    https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
    """
    last, kind, data = "", "message", []
    async for raw in content:
        line = raw.decode().rstrip("\n")
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "id":
            last = value
        elif field == "event":
            kind = value
        elif field == "data":
            data.append(value)
        elif not line:
            if data or last:
                yield SseEvent(last, kind, "\n".join(data))
            kind, data = "message", []


async def following(events: AsyncIterator[SseEvent], count: int) -> list[SseEvent]:
    """The next events of a stream, without heartbeats."""
    found: list[SseEvent] = []
    async with asyncio.timeout(40):
        async for event in events:
            if event.data:
                found.append(event)
            if len(found) == count:
                return found
    raise AssertionError(f"the stream ended after {len(found)} of {count} events")


def token(name: str = "all", text: str = TOKEN, **scope: Any) -> FeedTokenSettings:
    """The settings of a token, which without a scope sees everything with texts."""
    return FeedTokenSettings(name=name, digests=(digest_of(text),), **({"texts": True} | scope))


async def ids_on(redis: Redis, *, partitions: int, stream: str = "comments") -> list[str]:
    """The ids of all events on a stream; of one whose reply was lost, as often as it was stored."""
    found = []
    for key in Streams(partitions=partitions).keys(stream):
        page: Any = await redis.xrange(key)
        found += [str(msgspec.json.decode(fields[b"event"])["id"]) for _, fields in page]
    return found


async def put(
    redis: Redis, events: Sequence[CloudEvent], *, stream: str = "comments", partitions: int = 1
) -> None:
    """Publish events on the partitions of their subjects, as the enricher does."""
    streams = Streams(partitions=partitions)
    for event in events:
        data: Any = event.data  # type: ignore[attr-defined]
        subject = EventSubject(*_subject_of(event))
        partition = streams.partition_of(data.member_id, subject)
        await redis.xadd(streams.key(stream, partition), {"event": encode_event(event)})


def _subject_of(event: CloudEvent) -> tuple[str, int]:
    kind, _, number = (event.subject or "").partition("/")
    return kind, int(number)


@asynccontextmanager
async def open_feed(
    redis_url: str,
    *tokens: FeedTokenSettings,
    partitions: int = 1,
    consumers: Mapping[str, Any] = MappingProxyType({}),
    **feed: Any,
) -> AsyncIterator[FeedClient]:
    """A feed within the test, which answers; on leaving it is stopped as by SIGTERM."""
    port = free_port()
    settings = Settings(
        redis=RedisSettings(url=redis_url, partitions=partitions),
        consumers=ConsumersSettings(port=0, **consumers),
        feed=FeedSettings(port=port, tokens=tokens or (token(),), **feed),
    )
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(settings, stop))
    try:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            client = FeedClient(port, session)
            client.stopping = stop
            await eventually(lambda: is_answering(client))
            yield client
            stop.set()
            await serving
    finally:
        stop.set()
        await serving


async def is_answering(client: FeedClient) -> bool:
    """Whether the feed has pages."""
    try:
        status, _ = await client.get("/events/cursors")
    except aiohttp.ClientError:
        return False
    return status in {200, 401}


@contextmanager
def feed_process(
    redis_url: str, directory: Path, *, partitions: int = 1, is_executed: bool = False, **feed: str
) -> Iterator[tuple[ConsumerProcess, int]]:
    """A process, not started yet, and its port."""
    port = free_port()
    tokens = msgspec.json.encode([token()]).decode()
    environment = {
        "GATEWAY_REDIS_URL": redis_url,
        "GATEWAY_REDIS_PARTITIONS": str(partitions),
        "GATEWAY_CONSUMERS_PORT": str(free_port()),
        "GATEWAY_FEED_PORT": str(port),
        "GATEWAY_FEED_TOKENS": tokens,
        **{f"GATEWAY_FEED_{name}".upper(): text for name, text in feed.items()},
    }
    with ConsumerProcess("feed", directory, environment, is_executed=is_executed) as process:
        yield process, port
        process.stop_blocking()
