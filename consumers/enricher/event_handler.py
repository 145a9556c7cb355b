"""Turns entries of `events` into what goes out on `comments` for them."""

from collections.abc import Sequence

from consumers import Entry, Output, Transient
from consumers.enricher import metrics
from consumers.enricher.enriching import enriched, remembered
from consumers.enricher.fetch_rules import FetchRules, is_deletion
from consumers.enricher.portal_requests import PortalRequests, Told
from consumers.enricher.reach import Wait
from consumers.enricher.refetch_queue import RefetchQueue
from consumers.enricher.snapshots import Snapshots
from consumers.enricher.wanted import Wanted

__all__ = ["Handling", "pass_on"]

_NO_ID = "no_id"


async def pass_on(entries: Sequence[Entry]) -> list[Output]:
    """Events for which nothing is fetched, as they are."""
    return [Output((entry.raw,)) for entry in entries]


class Handling:
    """Handles the events about comments, and about what else is fetched."""

    def __init__(
        self,
        rules: FetchRules,
        asking: PortalRequests,
        snapshots: Snapshots,
        queue: RefetchQueue,
    ) -> None:
        self._rules = rules
        self._asking = asking
        self._snapshots = snapshots
        self._queue = queue

    async def enrich(self, entries: Sequence[Entry]) -> list[Output | Exception]:
        """Events of up to fifty subjects of one portal, with what these look like now.

        An event for which nothing is fetched goes on as it is, in its place among those of its
        subject. Raises Transient while Redis is away.
        """
        wanted = [self._rules.wanted(entry.event) for entry in entries]
        told = await self._told(entries, wanted)
        return [
            Output((entry.raw,)) if one is None else self._result(entry, one, told[one])
            for entry, one in zip(entries, wanted, strict=True)
        ]

    async def _told(
        self, entries: Sequence[Entry], wanted: Sequence[Wanted | None]
    ) -> dict[Wanted, Told]:
        """What is to be said of the objects of these events."""
        gone: set[Wanted] = set()
        asked: dict[Wanted, None] = {}
        for entry, one in zip(entries, wanted, strict=True):
            if one is None:
                continue
            asked[one] = None
            # A deletion is final, since Bitrix24 gives an id only once: nobody need be asked. But
            # for ids that people choose, as a currency's.
            if is_deletion(entry.event.type):
                gone.add(one)
            elif isinstance(one.subject.id, str):
                gone.discard(one)
        told: dict[Wanted, Told] = {one: one.deleted() for one in asked if one in gone}
        nameless = [one for one in asked if one.subject.id is None]
        told |= {one: one.unavailable(_NO_ID) for one in nameless}
        if not asked:
            return told
        member_id = _member_id(entries[0])
        if left := [one for one in asked if one not in told]:
            told |= await self._asking.ask(member_id, left)
        unseen = [
            one
            for one, said in told.items()
            if not isinstance(said, Wait) and said.state != "present" and one not in nameless
        ]
        known = await self._snapshots.read(entries[0].partition, member_id, unseen)
        return {
            one: said if isinstance(said, Wait) else remembered(said, known.get(one))
            for one, said in told.items()
        }

    def _result(self, entry: Entry, wanted: Wanted, told: Told) -> Output | Exception:
        if isinstance(told, Wait):
            why = f": {told.why}" if told.why else ""
            return Transient(f"the portal does not answer{why}", retry_after_s=told.seconds)
        metrics.EVENTS.labels(told.state).inc()
        if told.state != "unavailable":
            member_id = _member_id(entry)
            writes = self._snapshots.writes(entry.partition, member_id, wanted, told)
        else:
            metrics.UNAVAILABLE.labels(told.reason).inc()
            is_in_vain = told.reason == _NO_ID
            writes = (
                () if is_in_vain else self._queue.writes(entry.partition, entry.event.id, entry.raw)
            )
        return Output((enriched(entry.raw, told),), writes)


def _member_id(entry: Entry) -> str:
    """The portal of an event; all that are handled together have the same."""
    return entry.event.source.rpartition(":")[2]
