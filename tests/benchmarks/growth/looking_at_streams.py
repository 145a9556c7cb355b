"""Measures looks at a stream, by its length: a part of `make bench-growth`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import redis

from gateway.local.redis_server import RedisServer, find_server
from tests.benchmarks.growth.command_costs import cost_s
from tests.benchmarks.growth.curve import CONSTANT, LINEAR, Curve
from tests.benchmarks.growth.event_ids import id_at

__all__ = ["curves"]

_SIZES: Final = (100_000, 300_000, 1_000_000)
_START: Final = datetime(2026, 11, 20, tzinfo=UTC)
_STREAM: Final = "b24:events:{0}"
_FILL: Final = (Path(__file__).parent / "streams.lua").read_text()


def curves(directory: Path) -> list[Curve]:
    """Looks for one event, and at a group in the middle."""
    tail: dict[int, float] = {}
    groups: dict[int, float] = {}
    server = RedisServer(find_server(), directory)
    server.start()
    start_ms = int(_START.timestamp() * 1000)
    try:
        client: Any = redis.Redis.from_url(server.url)
        there = 0
        for size in _SIZES:
            for first in range(there, size, 1000):
                client.eval(_FILL, 1, _STREAM, first, 1000, start_ms)
            there = size
            middle = size // 2
            moment = _START + timedelta(milliseconds=10 * middle)
            wanted = f"{str(id_at(moment, 0))[:18]}-8000-{middle:012x}"
            tail[size] = cost_s(
                *("gateway", "tail", "--since", _START.isoformat(), "--event", wanted),
                *("--count", "1"),
                url=server.url,
                server_pid=server.pid,
            )
            client.xgroup_create(_STREAM, "middle", f"{start_ms + middle * 10}-0")
            groups[size] = cost_s("gateway", "groups", url=server.url, server_pid=server.pid)
            client.xgroup_destroy(_STREAM, "middle")
    finally:
        server.stop()
    return [
        Curve(
            name="tail --since --event: one event in the middle of a stream",
            of="entries",
            unit="s of CPU",
            costs=tail,
            most_exponent=CONSTANT,
        ),
        Curve(
            name="groups: a group in the middle of a stream",
            of="entries",
            unit="s of CPU",
            costs=groups,
            most_exponent=LINEAR,
        ),
    ]
