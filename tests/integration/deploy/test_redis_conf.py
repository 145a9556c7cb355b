from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, OutOfMemoryError

from gateway.local.redis_server import ServerBinary, free_port
from gateway.redis_access import connections
from tests.integration.deploy.files import DEPLOY, REDIS_CONF, services
from tests.support.eventually import eventually
from tests.support.program import Program
from tests.support.redis_users import url_of

MOUNTED = {"./redis.conf": REDIS_CONF, "./users.acl": DEPLOY / "redis" / "users.acl"}


@pytest.fixture(scope="module")
def configured_port(
    server_binary: ServerBinary, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """A server started as the service `redis` of the compose file is, but on a port of its own."""
    command: list[str] = services()["redis"]["command"]
    mounted = {
        inside: MOUNTED.get(outside)
        for outside, inside, *_ in (volume.split(":") for volume in services()["redis"]["volumes"])
    }
    options = [str(mounted.get(word) or word) for word in command]
    port = free_port()
    directory = tmp_path_factory.mktemp("redis-conf")
    with Program(
        (server_binary.path, *options[1:], "--port", str(port)),
        log_file=directory / "log",
        environment={},
        directory=directory,
    ) as server:
        server.launch()
        yield port
        server.stop_blocking()
        assert server.exit_code == 0


@pytest.fixture
async def configured(configured_port: int) -> AsyncIterator[Redis]:
    client = connections.control(url_of(f"redis://127.0.0.1:{configured_port}/0", "admin"))

    async def answers() -> bool:
        try:
            return bool(await client.flushall())
        except connections.AWAY:
            return False

    await eventually(answers)
    yield client
    await client.aclose()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("appendonly", "yes"),
        ("appendfsync", "always"),
        ("no-appendfsync-on-rewrite", "no"),
        ("save", ""),
        ("maxmemory", str(1 << 30)),
        ("maxmemory-policy", "noeviction"),
        ("maxmemory-clients", "10%"),
        ("stream-node-max-bytes", "16384"),
        ("timeout", "0"),
        ("tcp-keepalive", "60"),
        ("latency-monitor-threshold", "50"),
    ],
)
async def test_the_server_runs_with_what_streams_need(
    configured: Redis, name: str, value: str
) -> None:
    assert (await configured.config_get(name))[name] == value


async def test_it_asks_for_the_password(configured_port: int) -> None:
    stranger = connections.control(f"redis://127.0.0.1:{configured_port}/0")

    with pytest.raises(AuthenticationError):
        await stranger.xadd("b24:events:{0}", {"event": "{}"})
    await stranger.aclose()


async def test_a_full_server_refuses_entries_and_goes_on_serving_consumers(
    configured: Redis,
) -> None:
    stream = "b24:events:{0}"
    entry_id = await configured.xadd(stream, {"event": "{}"})
    await configured.xgroup_create(stream, "audit", id="0")
    try:
        await configured.config_set("maxmemory", "1")
        with pytest.raises(OutOfMemoryError):
            await configured.xadd(stream, {"event": "{}"})
        await configured.xreadgroup("audit", "c", {stream: ">"})

        assert await configured.xack(stream, "audit", entry_id) == 1
        assert await configured.xlen(stream) == 1
    finally:
        await configured.config_set("maxmemory", "1gb")
