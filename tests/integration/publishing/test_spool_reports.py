"""What receivers tell of their spools, on a real server."""

from pathlib import Path
from unittest.mock import ANY

from redis.asyncio import Redis

from gateway.publishing.spool.reports import SpoolReporter, read_reports


async def test_a_receiver_that_stops_with_an_empty_spool_vouches_for_nothing_more(
    redis: Redis, tmp_path: Path
) -> None:
    reporter = SpoolReporter(redis, tmp_path, prefix="b24")
    await reporter.tell(0)
    await reporter.leave(0)
    assert await read_reports(redis, prefix="b24") == ([], ANY)

    await reporter.leave(1234)

    ((report,), _) = await read_reports(redis, prefix="b24")
    assert report.oldest_ms == 1234
