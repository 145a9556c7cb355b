"""Two receivers that are alike but for the fast lane, over one real Redis, in one event loop."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from redis.asyncio import Redis

from gateway.balance.ledger import Ledger
from gateway.event_subscription import EventSubscription
from gateway.inbound.admission import Admission
from gateway.portals.application_tokens import digest_of
from gateway.portals.directory import Directory, Portal
from gateway.publishing.publisher import Publisher
from gateway.publishing.spool.store import Spool
from gateway.settings import EventSettings, HttpSettings, PublishSettings, RedisSettings
from gateway.web.fast_lane.lane import FastLane
from gateway.web.protection.guard import guard_of
from gateway.web.public_server import PublicServer
from gateway.web.unavailability import Unavailability
from tests.support.bare_receiver import bare_receiver
from tests.support.catalogue_bodies import TOKEN

__all__ = ["Answer", "Twin", "twin"]

_PORTAL = Portal(
    member_id="010b6886ebc205e43ae65000ee00addb",
    domain="acme.bitrix24.com",
    digests=(
        digest_of("3c6c9248ec54af6bea1159b43ee0ab32"),
        digest_of("jvh9y1ulvt2m6k5or90v9mg8nn32ozas"),
        digest_of(TOKEN),
    ),
)
_ALL_EVENTS = EventSubscription([EventSettings(name="*")])
_SILENCE_S = 0.6
"""Longer than the time-outs of the settings, which end what is never completed."""
_CLOSED_S = 10.0
_LAST = b"GET /the-end HTTP/1.1\r\nHost: gateway.example\r\nConnection: close\r\n\r\n"
"""Ends a connection that is still open; what waits for a body takes it for that."""


class Answer(msgspec.Struct, frozen=True):
    """What one request was answered, without what differs each time."""

    status: str
    headers: tuple[str, ...]
    body: bytes


class Twin:
    """One of the two."""

    def __init__(self, port: int, redis: Redis, stream: str, server: PublicServer) -> None:
        self.port = port
        self.server = server
        self._redis = redis
        self._stream = stream

    async def exchange(self, requests: Sequence[Sequence[bytes]]) -> tuple[list[Answer], bool]:
        """All answers to some requests on one connection, until the receiver closes it; and
        whether it was reset, which is a race: then the last answer may have been lost on the way.

        A request is sent when the one before has been answered, or is not for a while; as the
        pieces that it consists of, each as a write of its own.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        answers: list[Answer] = []
        try:
            with suppress(asyncio.IncompleteReadError):
                for pieces in (*requests, [_LAST]):
                    for piece in pieces:
                        writer.write(piece)
                        await writer.drain()
                        await asyncio.sleep(0.001)
                    with suppress(TimeoutError):
                        answers.append(await _answer(reader, _SILENCE_S))
                while True:
                    answers.append(await _answer(reader, _CLOSED_S))
        except ConnectionError:
            return answers, True
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        return answers, False

    async def events(self) -> list[dict[str, Any]]:
        """All that was stored, without receipt ids and times of receipt."""
        entries: Any = await self._redis.xrange(self._stream)
        events = [msgspec.json.decode(fields[b"event"]) for _, fields in entries]
        await self._redis.delete(self._stream)
        for event in events:
            del event["id"], event["receivedat"]
            if event["time"] > "2026-07":  # the time of receipt, in place of one that cannot be
                del event["time"]
        return events


@asynccontextmanager
async def twin(
    redis_url: str, directory: Path, *, fast: bool, max_queued: int = 100, **settings: Any
) -> AsyncIterator[Twin]:
    """A receiver with the lane or without; time-outs are short, and Redis is a real one.

    `settings` are of [http]. At the end it stops as a receiver does.
    """
    http = HttpSettings(
        **({"header_timeout_s": 0.3, "body_timeout_s": 0.2, "keepalive_s": 5.0} | settings)
    )
    redis_settings = RedisSettings(url=redis_url, prefix="fast:" if fast else "slow:", partitions=1)
    publish = PublishSettings(deadline_s=2.0, max_queued=max_queued)
    spool = await Spool.open(directory, max_bytes=1_000_000)
    publisher = Publisher(
        redis_settings, publish, spool, Ledger.in_memory(), holds_back=lambda _: False
    )
    portals, guard = Directory([_PORTAL]), guard_of(http)
    counts: dict[str, int] = {}
    async with AsyncExitStack() as opened:
        opened.push_async_callback(spool.close)
        publisher.start()
        opened.push_async_callback(publisher.close)
        receiver = await opened.enter_async_context(
            bare_receiver(
                portals,
                publisher,
                http,
                spool_dir=directory,
                counts=counts,
                guard=guard,
                subscription=_ALL_EVENTS,
            )
        )
        lane = FastLane(
            Admission(portals, _ALL_EVENTS),
            publisher,
            redis_settings.streams,
            guard=guard,
            counts=counts,
            unavailability=Unavailability(),
            max_body_bytes=http.max_body,
        )
        server = PublicServer(
            receiver, http, max_connections=http.max_connections, lane=lane if fast else None
        )
        runner = web.ServerRunner(server, shutdown_timeout=2.0)
        opened.push_async_callback(runner.cleanup)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        redis = await opened.enter_async_context(Redis.from_url(redis_url))
        await opened.enter_async_context(server.sweeping())
        opened.push_async_callback(server.last_requests, 0.1)
        yield Twin(runner.addresses[0][1], redis, redis_settings.streams.key("events", 0), server)


async def _answer(reader: asyncio.StreamReader, within_s: float) -> Answer:
    async with asyncio.timeout(within_s):
        head = await reader.readuntil(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")[:-2]
    headers = dict(line.split(": ", 1) for line in lines)
    length = int(headers.get("Content-Length", 0))
    body = await reader.readexactly(length)
    varying = {"Date", "X-Event-Id"}
    told = (name if name in varying else f"{name}: {value}" for name, value in headers.items())
    return Answer(status, tuple(sorted(told)), body)
