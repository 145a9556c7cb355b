"""CPU time of an event that comes alone: 200 a second of 50 portals, none of which share a batch.

Beside another checkout of the gateway (`--before DIR`), in alternating turns of a second; the
figure is the median of the turns, and what the process does besides is in it.
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
    GATEWAY,
    Contender,
    gateway_command,
    gateway_of,
    pin,
)
from tests.benchmarks.recorded_run import Recorder, arguments

RATE: Final = 200
PORTALS: Final = 50
TURN_S: Final = 1.0
BAR: Final = 0.5


async def run(turns: int, before: Path | None) -> dict[str, float]:
    """Median CPU microseconds per event of each."""
    commands = {GATEWAY: gateway_command()}
    if before is not None:
        commands[BEFORE] = gateway_of(before)
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        server = RedisServer(find_server(), directory / "redis", append_only=True)
        server.start()
        for pid in (server.pid, 0):
            pin(pid, is_server=False)
        contenders = [
            Contender(name, command, directory, server.url, portals=PORTALS)
            for name, command in commands.items()
        ]
        try:
            for one in contenders:
                await one.open()
            for number in range(turns + 2):  # the first turns warm up
                for one in contenders:
                    await one.steady_turn(RATE, TURN_S, is_counted=number >= 2)
        finally:
            for one in contenders:
                one.stop()
            server.stop()
        for one in contenders:
            if one.load.statuses.keys() != {"200"}:
                raise SystemExit(f"{one.name} answered {one.load.statuses}")
        return {one.name: statistics.median(one.micros) for one in contenders}


def figures(micros: Mapping[str, float]) -> list[Figure]:
    """What an event costs, beside what it cost before where that was measured."""
    name = f"CPU time of an event that comes alone, {RATE} a second"
    ours = Side(GATEWAY, micros[GATEWAY], "µs")
    if BEFORE not in micros:
        return [Figure(name, ours.value, ours.unit)]
    return [ratio(f"{name}, beside {BEFORE}", ours, Side(BEFORE, micros[BEFORE], "µs"), Bar(BAR))]


def main() -> int:
    parser = arguments(__doc__, is_compared=True)
    parser.add_argument("--turns", type=int, default=20, help="turns of a second, of each")
    options = parser.parse_args()
    recorder = Recorder("lone", options.json)
    return recorder.concluded(figures(asyncio.run(run(options.turns, options.before))))


if __name__ == "__main__":
    sys.exit(main())
