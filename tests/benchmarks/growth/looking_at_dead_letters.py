"""Measures looks at dead letters, by how many there are: a part of `make bench-growth`."""

from pathlib import Path
from typing import Any, Final

import redis

from gateway.contract import Streams
from gateway.local.redis_server import RedisServer, find_server
from tests.benchmarks.growth.command_costs import Cost, cost_of
from tests.benchmarks.growth.curve import CONSTANT, LINEAR, Curve

__all__ = ["curves"]

_SIZES: Final = (1_000, 10_000, 100_000)
_KEY: Final = Streams().dead("index", 0)
_LETTER: Final[dict[str, str]] = {
    "event": "{" + " " * 446 + "}",
    "group": "index",
    "stream": "events",
    "attempts": "5",
    "reason": "failed",
    "error": "ValueError: " + "x" * 60,
    "failed_at": "2026-11-20T12:00:00.000Z",
}


def curves(directory: Path) -> list[Curve]:
    """All of them listed, and one shown."""
    listed: dict[int, Cost] = {}
    shown: dict[int, Cost] = {}
    server = RedisServer(find_server(), directory)
    server.start()
    try:
        client: Any = redis.Redis.from_url(server.url)
        there = 0
        for size in _SIZES:
            with client.pipeline(transaction=False) as pipeline:
                for number in range(there + 1, size + 1):
                    fields = _LETTER | {"entry_id": f"{number}-0"}
                    pipeline.xadd(_KEY, fields, id=f"{number}-0")
                pipeline.execute()
            there = size
            at: dict[str, Any] = {"url": server.url, "server_pid": server.pid}
            listed[size] = cost_of("gateway", "dead", "list", **at)
            address = f"0/{size // 2}-0"
            shown[size] = cost_of("gateway", "dead", "show", address, "--group", "index", **at)
    finally:
        server.stop()
    return [
        Curve(
            name="dead list",
            of="letters",
            unit="s of CPU",
            costs={size: cost.cpu_s for size, cost in listed.items()},
            most_exponent=LINEAR,
        ),
        Curve(
            name="dead list, its memory",
            of="letters",
            unit="MB",
            costs={size: cost.peak_mb for size, cost in listed.items()},
            most_exponent=CONSTANT,
        ),
        Curve(
            name="dead show: one letter in the middle",
            of="letters",
            unit="s of CPU",
            costs={size: cost.cpu_s for size, cost in shown.items()},
            most_exponent=CONSTANT,
        ),
    ]
