"""CPU time per accepted event: the gateway next to a bare handler and its peers, in one run.

Turns of a quarter of a second alternate, so that what else the machine does hits all alike; the
figure of each contender is the median of its turns. What counts is the CPU time of the server's
process tree; Redis and the load have their own processes and are not in it. The servers have one
core to themselves, the load and Redis the others, so that no contender's caches are emptied by
what is only there to measure it.
"""

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gateway.local.redis_server import RedisServer, find_server
from tests.benchmarks.figure import Bar, Figure, Side, ratio
from tests.benchmarks.ingest.contenders import (
    BEFORE,
    DEAL_BODY,
    DEALS,
    GATEWAY,
    Contender,
    commands,
    gateway_command,
    pin,
)
from tests.benchmarks.recorded_run import Recorder, arguments

BARS: Final = {
    BEFORE: 0.68,
    "bare aiohttp": 0.85,
    "FastAPI + FastStream": 0.22,
    "plain aiohttp": 0.45,
    "node": 1.0,
}
DEAL_BAR: Final = 1.25


async def run(turns: int, before: Path | None) -> dict[str, float]:
    """Median CPU microseconds per event of each contender, in alternating turns."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        server = RedisServer(
            find_server(),
            directory / "redis",
            append_only=True,
            options=("--appendfsync", "everysec"),
        )
        server.start()
        pin(server.pid, is_server=False)
        pin(0, is_server=False)
        contenders = [
            Contender(name, command, directory, server.url)
            for name, command in commands(directory, before).items()
        ]
        contenders.insert(
            1, Contender(DEALS, gateway_command(), directory, server.url, body=DEAL_BODY)
        )
        try:
            for contender in contenders:
                await contender.open()
            for number in range(turns + 4):  # the first turns warm up
                for contender in contenders:
                    await contender.turn(is_counted=number >= 4)
        finally:
            for contender in contenders:
                contender.stop()
            server.stop()
        for contender in contenders:
            if contender.load.statuses.keys() != {"200"} or contender.load.broken > 64:
                raise SystemExit(f"{contender.name} answered {contender.load.statuses}")
        return {contender.name: statistics.median(contender.micros) for contender in contenders}


def figures(micros: Mapping[str, float]) -> list[Figure]:
    """What an event costs the gateway, beside each of the others."""
    ours = Side(GATEWAY, micros[GATEWAY], "µs")
    deals = Side(DEALS, micros[DEALS], "µs")
    return [
        ratio("CPU time of an event about a deal, beside a comment's", deals, ours, Bar(DEAL_BAR)),
        *_beside_others(micros, ours),
    ]


def _beside_others(micros: Mapping[str, float], ours: Side) -> list[Figure]:
    return [
        ratio(
            f"CPU time of an event, beside {name}", ours, Side(name, value, "µs"), Bar(BARS[name])
        )
        for name, value in micros.items()
        if name not in {GATEWAY, DEALS}
    ]


def main() -> int:
    parser = arguments(__doc__, is_compared=True)
    parser.add_argument("--turns", type=int, default=40, help="quarter-second turns of each")
    options = parser.parse_args()
    recorder = Recorder("ingest", options.json)
    return recorder.concluded(figures(asyncio.run(run(options.turns, options.before))))


if __name__ == "__main__":
    sys.exit(main())
