"""How fast a backlog leaves the spool while deliveries go on, and what those notice of it.

The backlog is the worst there is: every event was spooled alone.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from redis.asyncio import Redis

from gateway.contract import (
    COMMENT_UPDATED,
    CommentData,
    CommentEvent,
    Streams,
    encode_event,
    source_of,
)
from gateway.local.redis_server import RedisServer, find_server
from gateway.publishing.spool.batch_file import SpooledBatch, SpoolFile
from tests.benchmarks.answers import BARS_MS, RATE, percentile
from tests.benchmarks.ingest.contenders import MEMBER_ID, Contender, bodies, gateway_command
from tests.benchmarks.load import Load
from tests.benchmarks.table import table

DRAINED_BAR: Final = 5 * RATE
# Events a second: what half an hour without Redis left behind is gone in eight minutes.
_AT_ONCE: Final = 1000


def fill(directory: Path, count: int) -> None:
    """Spool `count` batches of one event."""
    spool = SpoolFile(directory, max_bytes=1 << 30)
    for start in range(1, count + 1, _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, count + 1))
        spool.append([SpooledBatch(0, "bench", number, [event(number)]) for number in numbers])
    spool.close()


def event(number: int) -> bytes:
    """An event as the receiver makes it."""
    return encode_event(
        CommentEvent(
            id=f"01936b2e-0000-7000-8000-{number:012d}",
            source=source_of(MEMBER_ID),
            type=COMMENT_UPDATED,
            subject=f"comment/{number}",
            time="2026-01-02T03:04:05Z",
            receivedat="2026-01-02T03:04:05.678Z",
            data=CommentData(
                comment_id=number,
                member_id=MEMBER_ID,
                domain="acme.example",
                user_id=7,
                event_handler_id=185,
            ),
        )
    )


async def drain(backlog: int) -> dict[str, object]:
    """One row: the rate at which everything got through the spool, and the answers meanwhile."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        fill(directory / "spool", backlog)
        server = RedisServer(find_server(), directory / "redis", append_only=True)
        server.start()
        contender = Contender("gateway", gateway_command(), directory, server.url)
        try:
            await contender.open()
            load = Load(contender.port, bodies())
            await load.open()
            events, seconds = await _until_drained(server.url, directory / "spool", load)
            load.close()
        finally:
            contender.stop()
            server.stop()
    if load.statuses.keys() != {"200"}:
        raise SystemExit(f"answers: {load.statuses}")
    p99_ms, rate = percentile(load.seconds, 0.99), events / seconds
    return {
        "backlog": backlog,
        "seconds": round(seconds, 1),
        "drained_per_s": round(rate),
        "bar_per_s": DRAINED_BAR,
        "live_answers": len(load.seconds),
        "live_p99_ms": round(p99_ms, 2),
        "live_max_ms": round(max(load.seconds) * 1000, 2),
        "bar_ms": BARS_MS["spool"],
        "holds": rate > DRAINED_BAR and p99_ms < BARS_MS["spool"],
    }


async def _until_drained(redis_url: str, spool_dir: Path, load: Load) -> tuple[int, float]:
    """Load until the spool is empty; how many events went through it since, and in what time."""
    spool = SpoolFile(spool_dir, max_bytes=1 << 30, is_checked=False)
    stream = Streams().key("events", 0)
    async with Redis.from_url(redis_url) as client:
        before, started = await client.xlen(stream), time.perf_counter()
        while spool.has_backlog(0):
            await load.steadily(RATE, 0.5)
        events, seconds = await client.xlen(stream) - before, time.perf_counter() - started
    spool.close()
    return events, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backlog", type=int, default=300_000, help="events in the spool")
    parser.add_argument("--json", metavar="FILE", help="write the result there, too")
    options = parser.parse_args()
    row = asyncio.run(drain(options.backlog))
    print(table([row]))
    if options.json:
        Path(options.json).write_text(json.dumps([row], indent=2) + "\n")
    sys.exit(not row["holds"])


if __name__ == "__main__":
    main()
