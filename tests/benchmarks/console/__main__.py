"""`make bench-console`: how long each page of the console takes, and what it answers as JSON.

A stream of a million entries, ten thousand portals, a hundred thousand dead letters, a real server,
a real receiver. Bar: 200 ms for each, the slowest of all rounds; what a page keeps for a second is
looked at anew in each round.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.contract import timestamps
from gateway.local.redis_server import RedisServer, find_server
from tests.benchmarks.console.installation import ENTRIES, PORTALS, Filled, fill
from tests.benchmarks.figure import Figure, at_most
from tests.benchmarks.recorded_run import Recorder, arguments
from tests.support.console_stage import ConsoleClient, open_console

_BAR_MS: Final = 200.0
_SHARED_S: Final = 1.1
# A little more than for which pages share what they have found out.


def questions(filled: Filled) -> Iterator[tuple[str, str]]:
    """What is asked, in words, and by which path."""
    middle = filled.event_id(ENTRIES // 2)
    lost = f"{middle[:-12]}ffffffffffff"
    at = timestamps.seconds((filled.start_ms + 5 * ENTRIES) / 1000)
    yield "now", "now"
    yield "event, nothing asked", "event"
    yield "event by id, the first", f"event?id={filled.event_id(1)}"
    yield "event by id, in the middle", f"event?id={middle}"
    yield "event by id, the last", f"event?id={filled.event_id(ENTRIES)}"
    yield "event by id, a dead letter", f"event?id={filled.event_id(700)}"
    yield "event by id, not here", f"event?id={lost}"
    yield "event by comment, the newest", f"event?comment={ENTRIES}"
    yield "event by comment, the oldest", "event?comment=1"
    yield "event by portal and time", f"event?portal=p7.example&at={at}"
    yield "letters", "letters"
    yield "letters by reason, the last ones", "letters?group=index&reason=rejected"
    yield "letters by portal", "letters?group=index&portal=p700.example"
    yield "letters, two hundred", "letters?group=index&limit=200"
    yield "stuck", "stuck"
    yield "stuck, two hundred", "stuck?group=index&limit=200"
    yield "stuck by portal", "stuck?group=index&portal=p7.example"
    yield "tail", "tail"
    yield "tail, five hundred", "tail?limit=500"
    yield "tail by portal", "tail?portal=p7.example"
    yield "tail by a type that is not there", "tail?type=deal.updated"
    yield "tail of dead letters", "tail?stream=dead:index"
    yield "portals", "portals"
    yield "portals by a part of the name", "portals?q=p77"
    yield "portals, a thousand", "portals?limit=1000"
    yield "groups", "groups"
    yield "doctor", "doctor"


async def measured(rounds: int) -> list[Figure]:
    """Median and worst of each."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        server = RedisServer(find_server(), directory / "redis")
        server.start()
        try:
            filled = await fill(server.url)
            print(f"{ENTRIES:,} entries, {PORTALS:,} portals", flush=True)
            async with open_console(directory, server.url) as client:
                found = await _asked(client, list(questions(filled)), rounds)
        finally:
            server.stop()
    return [
        figure
        for of, times in found.items()
        for figure in (
            Figure("median", statistics.median(times), "ms", of=of),
            at_most("worst", max(times), _BAR_MS, "ms", of=of),
        )
    ]


async def _asked(
    client: ConsoleClient, asked: list[tuple[str, str]], rounds: int
) -> dict[str, list[float]]:
    """How many milliseconds each took, in each round but the first."""
    found: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for name, path in asked:
            for kind, prefix in (("page", ""), ("JSON", "api/")):
                if path.startswith(("now", "portals")):
                    await asyncio.sleep(_SHARED_S)
                began = time.perf_counter()
                status, text = await client.get(prefix + path)
                took_ms = 1000 * (time.perf_counter() - began)
                if status != 200:
                    raise SystemExit(f"{path} is answered {status}: {text[:200]}")
                if number:
                    found.setdefault(f"{name}, {kind}", []).append(took_ms)
    return found


def main() -> int:
    """Measure, print, judge."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    recorder = Recorder("console", options.json)
    return recorder.concluded(asyncio.run(measured(options.rounds)))


if __name__ == "__main__":
    sys.exit(main())
