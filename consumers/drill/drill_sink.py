"""Stores an effect for each event of a drill: `consumers run consumers.drill.drill_sink:app`.

The environment says where (`$DRILL_EFFECTS`), and how long each takes (`$DRILL_TAKES_S`): half of
it before the effect and half after, so that whoever kills the process finds it at either.
"""

import asyncio
import os
from pathlib import Path

from consumers import CommentEvent, Consumer, Entry, Transient
from gateway.drill.effect_store import Effect, EffectStore

__all__ = ["app"]

app = Consumer(group="drill", stream="events")


@app.on("bitrix24.crm.timeline.comment.*")
async def store(event: CommentEvent, entry: Entry) -> None:
    """Store the effect; raises Transient if the partition is another process' by now."""
    half_s = float(os.environ["DRILL_TAKES_S"]) / 2
    await asyncio.sleep(half_s)
    effect = Effect(
        event_id=event.id,
        comment_id=event.data.comment_id,
        entry_id=entry.id,
        partition=entry.partition,
        epoch=entry.epoch,
        pid=os.getpid(),
    )
    store_of_drill = EffectStore(Path(os.environ["DRILL_EFFECTS"]))
    if not await asyncio.to_thread(store_of_drill.store, effect):
        raise Transient("another process has this partition by now")
    await asyncio.sleep(half_s)
