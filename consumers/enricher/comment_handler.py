"""Turns entries of `events` into what goes out on `comments` for them."""

from collections.abc import Sequence

from consumers import CommentEvent, Entry, Output, Transient
from consumers.enricher import metrics
from consumers.enricher.enriching import enriched, remembered
from consumers.enricher.portal_requests import PortalRequests, Told
from consumers.enricher.reach import Wait
from consumers.enricher.refetch_queue import RefetchQueue
from consumers.enricher.snapshots import Snapshots
from gateway.contract import COMMENT_DELETED, Comment

__all__ = ["Handling", "pass_on"]


async def pass_on(entries: Sequence[Entry]) -> list[Output]:
    """Events that are not about comments, as they are."""
    return [Output((entry.raw,)) for entry in entries]


class Handling:
    """Handles the events about comments."""

    def __init__(self, asking: PortalRequests, snapshots: Snapshots, queue: RefetchQueue) -> None:
        self._asking = asking
        self._snapshots = snapshots
        self._queue = queue

    async def enrich(self, entries: Sequence[Entry]) -> list[Output | Exception]:
        """Events of up to fifty comments of one portal, with what these look like now.

        A type of event about comments that is not known goes on as it is. Raises Transient while
        Redis is away.
        """
        events = [entry.event for entry in entries if isinstance(entry.event, CommentEvent)]
        told = await self._told(entries[0].partition, events) if events else {}
        return [
            self._result(entry, entry.event, told[entry.event.data.comment_id])
            if isinstance(entry.event, CommentEvent)
            else Output((entry.raw,))
            for entry in entries
        ]

    async def _told(self, partition: int, events: Sequence[CommentEvent]) -> dict[int, Told]:
        """What is to be said of the comments of these events."""
        member_id = events[0].data.member_id
        # A deletion is final, since Bitrix24 gives an id only once: nobody need be asked.
        deleted = {event.data.comment_id for event in events if event.type == COMMENT_DELETED}
        told: dict[int, Told] = dict.fromkeys(deleted, Comment(state="deleted"))
        wanted = {event.data.comment_id for event in events} - deleted
        if wanted:
            told |= await self._asking.ask(member_id, sorted(wanted))
        unseen = [
            comment_id
            for comment_id, one in told.items()
            if isinstance(one, Comment) and one.state != "present"
        ]
        known = await self._snapshots.read(partition, member_id, unseen)
        return {
            comment_id: remembered(one, known.get(comment_id)) if isinstance(one, Comment) else one
            for comment_id, one in told.items()
        }

    def _result(self, entry: Entry, event: CommentEvent, told: Told) -> Output | Exception:
        if isinstance(told, Wait):
            why = f": {told.why}" if told.why else ""
            return Transient(f"the portal does not answer{why}", retry_after_s=told.seconds)
        metrics.COMMENTS.labels(told.state).inc()
        if told.state == "unavailable":
            metrics.UNAVAILABLE.labels(told.reason).inc()
            writes = self._queue.writes(entry.partition, event.id, entry.raw)
        else:
            data = event.data
            writes = self._snapshots.writes(entry.partition, data.member_id, data.comment_id, told)
        return Output((enriched(entry.raw, told),), writes)
