"""The probe tells when the destination takes nothing."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from consumers.runtime.consumer_process import run
from consumers.warehouse import consumer as warehouse_consumer
from consumers.warehouse.consumer import consumer_of
from gateway.local.redis_server import free_port
from gateway.settings import ConsumersSettings, RedisSettings, Settings, WarehouseSettings
from tests.integration.runtime.probes import get, is_answered
from tests.integration.runtime.running import comment_event, publish, settled
from tests.integration.warehouse.loading import Target
from tests.integration.warehouse.test_refusals import execute
from tests.support.eventually import eventually
from tests.support.postgres import PostgresServer

KEY = "b24:comments:{0}"

pytestmark = pytest.mark.parametrize("kind", ["postgres"], indirect=True)


@contextmanager
def away(server: PostgresServer, _database: str) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def refusing(server: PostgresServer, database: str) -> Iterator[None]:
    setting = f"ALTER DATABASE {database} SET default_transaction_read_only"
    execute(server, "postgres", f"{setting} = on")
    try:
        yield
    finally:
        execute(server, "postgres", f"{setting} = off")


@pytest.mark.parametrize(
    ("taking_nothing", "why"), [(away, "onnection"), (refusing, "it is read-only")]
)
async def test_a_destination_that_takes_nothing_for_longer_than_is_bridged_is_not_ready(
    ready: Target,
    postgres: PostgresServer,
    redis: Redis,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    taking_nothing: Callable[[PostgresServer, str], AbstractContextManager[None]],
    why: str,
) -> None:
    monkeypatch.setattr(warehouse_consumer, "_BRIDGED_S", 1.0)
    name = ready.destination.label.rpartition("/")[2]
    port = free_port()
    settings = Settings(
        redis=RedisSettings(url=redis_url),
        consumers=ConsumersSettings(port=port, lease_s=2.0),
        warehouse=WarehouseSettings(
            destination=postgres.url(name), work_dir=str(tmp_path / "work"), max_wait_s=0.05
        ),
    )
    stop = asyncio.Event()
    task = asyncio.create_task(run(consumer_of(settings), settings, stop))
    try:
        await publish(redis, KEY, [comment_event(1)])
        await eventually(lambda: settled(redis, KEY, "warehouse"))
        await eventually(lambda: is_answered(port, "/readyz", 200))

        with taking_nothing(postgres, name):
            await publish(redis, KEY, [comment_event(2)])
            await eventually(lambda: is_answered(port, "/readyz", 503))
            _status, told = await get(port, "/readyz")
            assert (await get(port, "/healthz"))[0] == 200

        assert "has taken no rows for" in told
        assert why in told
        assert "not-asked-for" not in told
        await eventually(lambda: settled(redis, KEY, "warehouse"), timeout_s=30)
        await eventually(lambda: is_answered(port, "/readyz", 200))
    finally:
        stop.set()
        await task
