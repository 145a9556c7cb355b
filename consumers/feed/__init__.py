"""Serves the events over HTTP to services that cannot hold a connection to Redis.

It reads the stream without a group: whoever asks says by a cursor how far they are. stream_tail.py
reads what comes, once for all; recent_entries.py keeps it; fan_out.py sends it to those who follow;
page_reading.py reads what is older; feed_http.py answers.
"""

import asyncio

from gateway.settings import Settings

__all__ = ["serve"]


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Serve the feed until `stop` is set. Raises OperatorError, BackgroundFailed."""
    from consumers.feed.feed_process import run  # noqa: PLC0415 - needs no name alone

    await run(settings, stop)
