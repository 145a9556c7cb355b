"""Why Redis did not take a batch is told as it was, whatever deadline cut the wait off."""

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway import settings
from gateway.balance.ledger import Ledger
from gateway.local.redis_server import RedisServer, ServerBinary
from gateway.publishing.batch import Stored
from gateway.publishing.publisher import Publisher
from gateway.publishing.spool.store import Spool
from gateway.redis_access import connections
from tests.support.redis_sentinel import sentinel_of


async def told_of_a_batch(url: str, directory: Path, **publish: Any) -> dict[str, Any]:
    """What the log says of one event that Redis at `url` does not take."""
    spool = await Spool.open(directory / "spool", max_bytes=1 << 20)
    publisher = Publisher(
        settings.RedisSettings(url=url),
        settings.PublishSettings(**publish),
        spool,
        Ledger.in_memory(),
        holds_back=lambda _: False,
    )
    publisher.start()
    try:
        with capture_logs() as logs:
            assert await publisher.publish(b"event", 0) is Stored.SPOOL
    finally:
        await publisher.close()
        await spool.close()
    (told,) = [dict(line) for line in logs if line["event"].startswith("redis did not take")]
    return told


@pytest.mark.parametrize("user_info", ["", ":fake-other@"])
async def test_a_sentinel_that_refuses_the_password_is_named(
    server_binary: ServerBinary, own_server: RedisServer, tmp_path: Path, user_info: str
) -> None:
    async with sentinel_of(
        server_binary, tmp_path / "sentinel", own_server, password="fake-of-sentinel"
    ) as port:
        told = await told_of_a_batch(f"redis+sentinel://{user_info}127.0.0.1:{port}/mine", tmp_path)

    assert told["reason"] == "refused"
    assert f"the Sentinel at 127.0.0.1:{port}: AuthenticationError: " in told["error"]


async def test_a_rejected_password_is_a_refusal(own_server: RedisServer, tmp_path: Path) -> None:
    async with connections.control(own_server.url) as redis:
        await redis.config_set("requirepass", "fake-of-server")

    told = await told_of_a_batch(f"redis://:fake@127.0.0.1:{own_server.port}/0", tmp_path)

    assert told["reason"] == "refused"
    assert told["error"].startswith("AuthenticationError: ")


async def test_a_deadline_hides_no_reason_that_was_known_before_it(
    server_binary: ServerBinary, own_server: RedisServer, tmp_path: Path
) -> None:
    async with sentinel_of(server_binary, tmp_path / "sentinel", own_server) as port:
        told = await told_of_a_batch(
            f"rediss+sentinel://127.0.0.1:{port}/mine", tmp_path, deadline_s=1.1
        )

    assert told["reason"] == "away"
    assert f"the Sentinel at 127.0.0.1:{port}: " in told["error"]
