"""CPU time per accepted event: the gateway next to a bare handler and its peers, in one run.

Turns of a quarter of a second alternate, so that what else the machine does hits all alike; the
figure of each contender is the median of its turns. What counts is the CPU time of the server's
process tree; Redis and the load have their own processes and are not in it. The servers have one
core to themselves, the load and Redis the others, so that no contender's caches are emptied by
what is only there to measure it.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Final

from gateway.local.redis_server import RedisServer, find_server
from tests.benchmarks.ingest.contenders import BEFORE, Contender, commands, pin

BARS: Final = {
    BEFORE: 0.68,
    "bare aiohttp": 0.85,
    "FastAPI + FastStream": 0.22,
    "plain aiohttp": 0.45,
    "node": 1.0,
}


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


def table(micros: dict[str, float]) -> list[dict[str, object]]:
    """The rows of the result, with the bars that were set for them."""
    ours = micros["gateway"]
    return [
        {
            "contender": name,
            "cpu_us_per_event": round(value, 1),
            "gateway_is_times": round(ours / value, 3),
            "bar": BARS.get(name),
            "holds": name == "gateway" or ours / value <= BARS[name],
        }
        for name, value in micros.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=40, help="quarter-second turns of each")
    parser.add_argument(
        "--before", type=Path, metavar="DIR", help="another checkout, to be measured beside this"
    )
    parser.add_argument("--json", metavar="FILE", help="write the table there, too")
    options = parser.parse_args()
    rows = table(asyncio.run(run(options.turns, options.before)))
    print(f"{'':24}{'µs CPU/event':>14}{'gateway is':>14}{'bar':>8}")
    for row in rows:
        ratio = "" if row["contender"] == "gateway" else f"{row['gateway_is_times']} x"
        bar = "" if row["bar"] is None else f"{row['bar']} x"
        verdict = "" if row["bar"] is None else ("holds" if row["holds"] else "MISSED")
        print(f"{row['contender']:24}{row['cpu_us_per_event']:>14}{ratio:>14}{bar:>8}  {verdict}")
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=2) + "\n")
    sys.exit(not all(row["holds"] for row in rows))


if __name__ == "__main__":
    main()
