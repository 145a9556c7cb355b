"""Measures looks at a stream, by its length: a part of `make bench-growth`."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import redis
import uvloop

from gateway.contract import EntryId, Streams
from gateway.local.redis_server import RedisServer, find_server
from gateway.redis_access import connections
from gateway.redis_access.entry_marks import EntryMarks
from tests.benchmarks.growth.command_costs import cost_of
from tests.benchmarks.growth.curve import CONSTANT, Curve
from tests.benchmarks.growth.event_ids import id_at

__all__ = ["curves"]

_SIZES: Final = (100_000, 1_000_000, 3_000_000)
_START: Final = datetime(2026, 11, 20, tzinfo=UTC)
_START_MS: Final = int(_START.timestamp() * 1000)
_STREAM: Final = Streams().key("events", 0)
_FILL: Final = (Path(__file__).parent / "streams.lua").read_text()
_BAR_S: Final = 0.7
_NAMES: Final = {
    "tail": "tail --since --event: one event in the middle of a stream",
    "groups": "groups: a group in the middle of a stream",
    "replay": "replay --dry-run: half of a stream",
}


def curves(directory: Path) -> list[Curve]:
    """Looks for one event, at a group in the middle, and at what would be given again."""
    costs: defaultdict[str, dict[int, float]] = defaultdict(dict)
    server = RedisServer(find_server(), directory)
    server.start()
    try:
        there = 0
        for size in _SIZES:
            uvloop.run(_fill(server.url, there, size))
            there = size
            for name, cpu_s in _looks(server, size).items():
                costs[name][size] = cpu_s
    finally:
        server.stop()
    return [
        Curve(
            name=title,
            of="entries",
            unit="s of CPU",
            costs=costs[name],
            most_exponent=CONSTANT,
            bar=_BAR_S,
        )
        for name, title in _NAMES.items()
    ]


async def _fill(url: str, there: int, size: int) -> None:
    """Append up to that size, with the marks that retention makes meanwhile."""
    async with connections.control(url, timeout_s=30) as client:
        marks = EntryMarks(client, Streams().retention_marks("events", 0))
        for first in range(there, size, 1000):
            filled: Any = client.eval(_FILL, 1, _STREAM, first, 1000, _START_MS)
            await filled
            await marks.note(EntryId(_START_MS + 10 * (first + 1000)), first + 1000)


def _looks(server: RedisServer, size: int) -> dict[str, float]:
    middle = size // 2
    moment = _START + timedelta(milliseconds=10 * middle)
    entry_id = f"{_START_MS + middle * 10}-0"
    wanted = f"{str(id_at(moment, 0))[:18]}-8000-{middle:012x}"
    client: Any = redis.Redis.from_url(server.url)
    client.xgroup_create(_STREAM, "middle", entry_id)
    commands = {
        "tail": ("tail", "--since", _START.isoformat(), "--event", wanted, "--count", "1"),
        "groups": ("groups",),
        "replay": ("replay", "--group", "middle", "--from", entry_id, "--dry-run"),
    }
    costs = {
        name: cost_of("gateway", *command, url=server.url, server_pid=server.pid).cpu_s
        for name, command in commands.items()
    }
    client.xgroup_destroy(_STREAM, "middle")
    return costs
