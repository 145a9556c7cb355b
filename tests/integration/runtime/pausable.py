"""Groups that are paused: consumers of each kind, and what an operator says to them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from redis.asyncio import Redis

from consumers import CommentEvent, Consumer, Entry, Output
from gateway.contract import EventSelection, Streams
from gateway.ops.group_interventions import end_pauses, pause_group

KINDS = ("events", "batches", "joint batches", "gatherings")
STREAMS = Streams()
KEY = STREAMS.key("events", 0)
GROUP = "index"


def noting(kind: str, handled: list[CommentEvent]) -> Consumer:
    """A consumer of a kind that notes what it handles, in its order."""
    output = "comments" if kind == "gatherings" else None
    app = Consumer(group=GROUP, stream="events", output=output)

    def note(entries: Sequence[Entry]) -> None:
        handled.extend(e.event for e in entries if isinstance(e.event, CommentEvent))

    if kind == "events":

        @app.on("*")
        async def handle(event: CommentEvent, entry: Entry) -> None:
            note((entry,))

    elif kind.endswith("batches"):

        @app.on_batch(
            "*", max_events=100, max_wait_s=0.05, across_partitions=kind == "joint batches"
        )
        async def load(entries: Sequence[Entry]) -> None:
            note(entries)

    else:

        @app.transform("*", together="source", max_subjects=20, max_batches=2)
        async def transform(entries: Sequence[Entry]) -> list[Output]:
            note(entries)
            return [Output((entry.raw,)) for entry in entries]

    return app


async def pause(
    redis: Redis,
    *,
    portal: str | None = None,
    event_type: str | None = None,
    until: datetime | None = None,
    streams: Streams = STREAMS,
    group: str = GROUP,
) -> None:
    selection = EventSelection(portal=portal, type=event_type)
    await pause_group(redis, streams, group, selection, until=until, now=datetime.now(UTC))


async def resume(redis: Redis, *, streams: Streams = STREAMS, group: str = GROUP) -> None:
    assert await end_pauses(redis, streams, group, None)


async def pending_count(redis: Redis, key: str = KEY, group: str = GROUP) -> int:
    found: int = (await redis.xpending(key, group))["pending"]
    return found


def in_order(handled: Sequence[CommentEvent], events: Sequence[CommentEvent]) -> bool:
    """Whether each comment's events were handled once, in the order in which they were stored."""
    by_subject: dict[str, list[str]] = {}
    wanted: dict[str, list[str]] = {}
    for found, some in ((by_subject, handled), (wanted, events)):
        for event in some:
            found.setdefault(event.source + event.subject, []).append(event.id)
    return by_subject == wanted
