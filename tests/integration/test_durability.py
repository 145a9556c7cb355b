"""`publish.ack`: what Redis must have done before a batch counts as stored."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway import settings
from gateway.local.server import RedisServer, ServerBinary
from gateway.publishing.errors import StreamUnavailable
from gateway.publishing.stream_writer import stream_writer
from tests.faults.replicas import replica_of, until_in_step

REPLICATED = settings.Publish(ack="replicated:1", deadline_s=0.3)


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
    redis = settings.Redis(url=own_server.url)
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
