"""A small transforming service, run as a process by the tests: passes every event on."""

import asyncio
import os
from collections.abc import Sequence

from consumers import Consumer, Entry, Output

app = Consumer(group="relay", stream="events", output="comments")


@app.transform("*", together="source", max_subjects=10, max_batches=4)
async def relay(entries: Sequence[Entry]) -> list[Output]:
    await asyncio.sleep(float(os.environ.get("SERVICE_TAKES_S", "0")))
    return [Output((entry.raw,)) for entry in entries]
