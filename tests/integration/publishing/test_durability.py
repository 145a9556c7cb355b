"""`publish.ack`: what Redis must have done before a batch counts as stored."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from gateway import settings
from gateway.local.redis_server import RedisServer, ServerBinary, free_port
from gateway.publishing.durability import (
    Ack,
    NotDurable,
    Persistence,
    check_at_start,
    waits_for_disk,
)
from gateway.publishing.errors import StreamUnavailable
from gateway.publishing.stream_writer import stream_writer
from gateway.redis_access import connections
from tests.support.receiver_process import Receiver
from tests.support.replicas import replica_of, until_in_step

REPLICATED = settings.PublishSettings(ack="replicated:1", deadline_s=0.3)


@pytest.fixture
def replica(
    own_server: RedisServer, server_binary: ServerBinary, tmp_path: Path
) -> Iterator[RedisServer]:
    server = replica_of(own_server, server_binary, tmp_path / "replica")
    yield server
    server.stop()


async def test_a_repeated_batch_is_confirmed_only_when_the_replica_has_it(
    own_server: RedisServer, replica: RedisServer
) -> None:
    redis = settings.RedisSettings(url=own_server.url)
    first, second = (stream_writer(redis, REPLICATED, 0) for _ in range(2))
    await until_in_step(own_server)
    replica.pause()

    # The second one is another connection: to WAIT, one that has written nothing itself.
    for writer in (first, second):
        with pytest.raises(StreamUnavailable, match="not_durable"):
            await writer.write("b24:producer:{0}:p", 1, [b"event"])
    replica.resume()
    ids = await second.write("b24:producer:{0}:p", 1, [b"event"])

    for writer in (first, second):
        await writer.close()
    copy: Any = Redis.from_url(replica.url)
    assert [entry for entry, _ in await copy.xrange("b24:events:{0}")] == [ids]
    await copy.aclose()


def persistence(
    appendfsync: str | None, *, has_waitaof: bool, rests_during_rewrites: bool = False
) -> Persistence:
    return Persistence(
        has_append_only_file=True,
        appendfsync=appendfsync,
        has_waitaof=has_waitaof,
        rests_during_rewrites=rests_during_rewrites,
    )


def test_a_batch_waits_for_the_disk_unless_the_server_answers_after_it() -> None:
    assert not persistence("always", has_waitaof=False).waits_for_disk()
    assert not persistence("always", has_waitaof=True).waits_for_disk()
    assert persistence("everysec", has_waitaof=True).waits_for_disk()
    assert persistence(None, has_waitaof=True).waits_for_disk()
    assert persistence("always", has_waitaof=True, rests_during_rewrites=True).waits_for_disk()


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        (persistence("everysec", has_waitaof=False), "they are `everysec` and `no`"),
        (persistence("no", has_waitaof=True), "they are `no` and `no`"),
        (
            persistence("always", has_waitaof=False, rests_during_rewrites=True),
            "they are `always` and `yes`",
        ),
        (persistence(None, has_waitaof=False), "allow CONFIG GET"),
    ],
)
def test_a_server_that_cannot_tell_what_is_on_its_disk_is_refused(
    facts: Persistence, why: str
) -> None:
    with pytest.raises(NotDurable, match=why):
        facts.waits_for_disk()


async def test_fsynced_waits_where_the_server_does_not(own_server: RedisServer) -> None:
    async with Redis.from_url(own_server.url) as client:
        await client.config_set("appendfsync", "always")
        assert await waits_for_disk(client) is False
        for setting, value in (("appendfsync", "everysec"), ("no-appendfsync-on-rewrite", "yes")):
            await client.config_set("appendfsync", "always")
            await client.config_set(setting, value)
            try:
                await client.waitaof(0, 0, 1)
            except ResponseError:  # Redis 7.0
                with pytest.raises(NotDurable, match="appendfsync always"):
                    await waits_for_disk(client)
            else:
                assert await waits_for_disk(client) is True


async def test_without_an_append_only_file_the_receiver_does_not_start(
    redis_url: str, tmp_path: Path
) -> None:
    settings = {"PUBLISH_ACK": "fsynced"}
    with Receiver(tmp_path, redis_url, spool=tmp_path / "spool", settings=settings) as receiver:
        receiver.launch()

        assert await receiver.ended() == 2
    assert [line for line in receiver.log.splitlines() if "appendonly yes" in line] == [
        'gateway: publish.ack = "fsynced" needs an append-only file: set `appendonly yes` on Redis'
    ]


async def test_a_server_that_lost_its_append_only_file_meanwhile_gets_nothing(
    own_server: RedisServer,
) -> None:
    redis = settings.RedisSettings(url=own_server.url)
    writer = stream_writer(redis, settings.PublishSettings(ack="fsynced"), 0)
    async with Redis.from_url(own_server.url) as client:
        await client.config_set("appendfsync", "always")
        await writer.write("b24:producer:{0}:p", 1, [b"event"])
        await client.config_set("appendonly", "no")
        await client.client_kill_filter(_type="normal", skipme=True)

        with pytest.raises(StreamUnavailable, match="away"):
            await writer.write("b24:producer:{0}:p", 2, [b"event"])
        with pytest.raises(StreamUnavailable, match="append-only file"):
            await writer.write("b24:producer:{0}:p", 2, [b"event"])

        assert await client.xlen("b24:events:{0}") == 1
    await writer.close()


async def test_too_few_replicas_at_the_start_are_a_warning(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as client:
        with capture_logs() as logs:
            await check_at_start(client, Ack(replicas=2))

    assert [(line["connected"], line["wanted"]) for line in logs] == [(0, 2)]


async def test_a_server_that_is_away_does_not_stop_the_start() -> None:
    client = connections.control(f"redis://127.0.0.1:{free_port()}/0", timeout_s=0.2)
    with capture_logs() as logs:
        await check_at_start(client, Ack(fsynced=True))
    await client.aclose()

    assert [line["log_level"] for line in logs] == ["warning"]
