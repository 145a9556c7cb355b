"""Real Sentinels on loopback that watch one primary, for a test."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from gateway.local.redis_server import RedisServer, ServerBinary, free_port
from gateway.redis_access import connections
from tests.support.eventually import eventually
from tests.support.guarded_server import Guard
from tests.support.program import Program

__all__ = ["sentinel_of", "sentinels_of"]


@asynccontextmanager
async def sentinel_of(
    binary: ServerBinary,
    directory: Path,
    primary: RedisServer,
    *,
    primary_password: str = "",
    guard: Guard | None = None,
    password: str = "",
    options: Sequence[str] = (),
) -> AsyncIterator[int]:
    """The port of a Sentinel that calls the primary `mine` and, if given a password, wants it.

    With `guard`, it speaks TLS or not as that says.
    """
    guard = replace(guard or Guard(), password=password)
    port = free_port()
    lines = [
        *_listening(guard, port),
        f"sentinel monitor mine 127.0.0.1 {primary.port} 1",
        *([f"sentinel auth-pass mine {primary_password}"] if primary_password else []),
        *([f"requirepass {password}"] if password else []),
        *options,
    ]
    async with _running(binary, directory, lines, guard.url(port)):
        yield port


@asynccontextmanager
async def sentinels_of(
    binary: ServerBinary,
    directory: Path,
    primary: RedisServer,
    *,
    guard: Guard,
    replicas: int,
    password: str = "",
) -> AsyncIterator[list[int]]:
    """The ports of three that call the primary `mymaster`, and of which two decide.

    They know each other and its replicas. `guard` is that of the servers, whose TLS is theirs,
    too; `password` is their own.
    """
    own = replace(guard, password=password, user="")
    ports = [free_port() for _ in range(3)]
    async with AsyncExitStack() as stack:
        for port in ports:
            lines = [
                *_listening(own, port),
                f"sentinel monitor mymaster 127.0.0.1 {primary.port} 2",
                f"sentinel auth-pass mymaster {guard.password}",
                "sentinel down-after-milliseconds mymaster 3000",
                "sentinel failover-timeout mymaster 10000",
                *([f"requirepass {password}"] if password else []),
            ]
            running = _running(binary, directory / f"sentinel-{port}", lines, own.url(port))
            await stack.enter_async_context(running)
        for port in ports:
            client: Any = await stack.enter_async_context(connections.control(own.url(port)))

            async def knows_all(client: Any = client) -> bool:
                row = (await client.sentinel_masters())["mymaster"]
                return (row["num-slaves"], row["num-other-sentinels"]) == (replicas, 2)

            await eventually(knows_all)
        yield ports


def _listening(guard: Guard, port: int) -> list[str]:
    """How a Sentinel listens, and how it speaks with servers."""
    lines = ["bind 127.0.0.1"]
    if guard.certificates is None:
        return [*lines, f"port {port}"]
    options = guard.tls_options(port)
    pairs = zip(options[::2], options[1::2], strict=True)
    told = [f"{name.removeprefix('--')} {value}" for name, value in pairs]
    return [*lines, *told, "tls-replication yes"]


@asynccontextmanager
async def _running(
    binary: ServerBinary, directory: Path, lines: Sequence[str], url: str
) -> AsyncIterator[None]:
    """A Sentinel that answers."""
    config = _written(directory, lines)
    with Program(
        (binary.path, str(config), "--sentinel"),
        log_file=directory / "sentinel.log",
        environment={},
    ) as process:
        process.launch()
        client: Any = connections.control(url)
        try:
            await eventually(lambda: _answers(client))
        finally:
            await client.aclose()
        yield


def _written(directory: Path, lines: Sequence[str]) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "sentinel.conf"
    path.write_text("\n".join([f"dir {directory}", *lines]))
    return path


async def _answers(client: Any) -> bool:
    try:
        return bool(await client.execute_command("SENTINEL", "MASTERS"))
    except connections.AWAY:
        return False
