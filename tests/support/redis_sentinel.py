"""A real Sentinel on loopback that watches one primary, for a test."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.local.redis_server import RedisServer, ServerBinary, free_port
from gateway.redis_access import connections
from tests.support.eventually import eventually
from tests.support.program import Program

__all__ = ["sentinel_of"]


@asynccontextmanager
async def sentinel_of(
    binary: ServerBinary,
    directory: Path,
    primary: RedisServer,
    *,
    primary_password: str = "",
    password: str = "",
    options: Sequence[str] = (),
) -> AsyncIterator[int]:
    """The port of a Sentinel that calls the primary `mine` and, if given a password, wants it."""
    port = free_port()
    lines = [
        f"port {port}",
        "bind 127.0.0.1",
        f"sentinel monitor mine 127.0.0.1 {primary.port} 1",
        *([f"sentinel auth-pass mine {primary_password}"] if primary_password else []),
        *([f"requirepass {password}"] if password else []),
        *options,
    ]
    config = _written(directory, lines)
    with Program(
        (binary.path, str(config), "--sentinel"),
        log_file=directory / "sentinel.log",
        environment={},
    ) as process:
        process.launch()
        client: Any = connections.control(f"redis://:{password}@127.0.0.1:{port}")
        try:
            await eventually(lambda: _answers(client))
        finally:
            await client.aclose()
        yield port


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
