"""Finds missed events where a portal has no queue for us: by looking at the comments themselves.

Of the entities that were last heard of, the comments are listed and compared with what consumers
were told of them. What is different may be on its way: an event that is being delivered, or waits
in a spool, or for the enricher. So it is looked at a second time, when all that was on its way then
has passed; what is still different was missed.

The ids of events follow from what consumers were told last, so a process that dies in between
publishes nothing twice. docs/decisions/0009-missed-events.md
"""

import time
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from msgspec import Struct

from gateway import metrics
from gateway.bitrix24.batching import MAX_COMMANDS
from gateway.bitrix24.client import PortalClient
from gateway.contract import (
    COMMENT_ADDED,
    COMMENT_DELETED,
    COMMENT_UPDATED,
    CommentEvent,
    CommentType,
    EntityEvent,
    EventSubject,
)
from gateway.missed_events.comment_comparison import (
    Differences,
    Entity,
    KnownEntity,
    Listing,
    differences,
)
from gateway.missed_events.comment_listing import gone_among, list_comments
from gateway.missed_events.dependencies import Dependencies
from gateway.missed_events.enricher_progress import Ends, ends_of_events, has_passed_on
from gateway.missed_events.gaps import gaps_of
from gateway.missed_events.online_events import Key
from gateway.missed_events.recovered_event import recovered_event, recovered_id
from gateway.portals.directory import Portal

__all__ = ["Sweep"]

log: Any = structlog.get_logger(__name__)

_LOOK_S: Final = 1.0
_GIVE_UP_S: Final = 600.0
# When what was on its way has not passed by then, the next sweep begins anew.
_BEFORE_S: Final = 60.0
# Online events are looked for from so long before the last list on, whatever the clocks are like.


class _Different(Struct, frozen=True):
    """An entity whose list is not what consumers were told; `known` is as of then."""

    entity: Entity
    listing: Listing
    known: KnownEntity


class _Doubt(Struct):
    """What a first look at a portal has found; `ends` are of when it had settled."""

    listed_at: float
    different: list[_Different]
    ends: Ends | None = None


class Sweep:
    """Compares a portal's comments, which is a duty; nothing is done for portals whose queue can be
    drained.
    """

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._own = dependencies.settings.reconcile
        self._doubts: dict[str, _Doubt] = {}
        self._unreadable: dict[str, tuple[Entity, ...]] = {}

    async def carry_out(self, portal: Portal) -> float | None:
        """Look at a portal's comments, or for the second time at what was different.

        Raises Bitrix24Error, StreamUnavailable, one of connections.FAILURES.
        """
        doubt = self._doubts.pop(portal.member_id, None)
        dependencies = self._dependencies
        if dependencies.holds_back() or not await dependencies.refusals.is_refused(
            portal.member_id
        ):
            return None
        if doubt is None:
            return await self._look(portal)
        return await self._look_again(portal, doubt)

    async def _look(self, portal: Portal) -> float | None:
        member_id, told = portal.member_id, self._dependencies.told
        await told.catch_up()
        known_of = dict(await told.entities(member_id))
        listed_at = time.time()
        found = await list_comments(
            self._dependencies.client_of(member_id),
            list(known_of),
            max_calls=self._own.sweep_calls,
            apart=self._unreadable.get(member_id, ()),
        )
        self._tell_of_unreadable(member_id, tuple(found.unreadable))
        for entity in found.refused:
            log.info("an entity is not shown any more", member_id=member_id, entity=str(entity))
            await told.forget(member_id, entity)
        different = []
        for entity, listing in found.listings.items():
            if differences(listing, known_of[entity]):
                different.append(_Different(entity, listing, known_of[entity]))
            else:
                await self._note(portal, entity, listing, known_of[entity], listed_at)
        metrics.SWEPT_ENTITIES.inc(len(found.listings))
        if not different:
            return None
        self._doubts[member_id] = _Doubt(listed_at, different)
        return self._own.settle_s + _LOOK_S

    def _tell_of_unreadable(self, member_id: str, entities: tuple[Entity, ...]) -> None:
        """Remember which entities are asked for by themselves, and tell of the new ones."""
        known = self._unreadable.pop(member_id, ())
        if entities:
            self._unreadable[member_id] = entities
        for entity in set(entities).difference(known):
            log.warning(
                "comments cannot be listed: the portal fails when it is asked for them",
                member_id=member_id,
                entity=str(entity),
            )

    async def _look_again(self, portal: Portal, doubt: _Doubt) -> float | None:
        if not await self._has_settled(doubt):
            waited_s = time.time() - doubt.listed_at  # below 0: the clock was ahead
            if 0 <= waited_s < self._own.settle_s + _GIVE_UP_S:
                self._doubts[portal.member_id] = doubt
                return _LOOK_S
            log.warning(
                "a sweep is put off: events wait in a spool, or for the enricher",
                member_id=portal.member_id,
            )
            return None
        await self._dependencies.told.catch_up()
        client = self._dependencies.client_of(portal.member_id)
        for one in doubt.different:
            known = await self._dependencies.told.known(portal.member_id, one.entity)
            missed = _still(differences(one.listing, one.known), one.known, known)
            missed = await self._without_seen(portal.member_id, missed, one.known.listed_ms)
            missed = await _without_living(client, missed)
            await self._publish(portal, missed, one, found_at=doubt.listed_at)
            await self._note(portal, one.entity, one.listing, one.known, doubt.listed_at)
        return None

    async def _has_settled(self, doubt: _Doubt) -> bool:
        """Whether all that was on its way at the first look has reached `comments`."""
        dependencies, streams = self._dependencies, self._dependencies.settings.redis.streams
        if await dependencies.settled_until() < doubt.listed_at:
            return False
        if doubt.ends is None:
            doubt.ends = await ends_of_events(dependencies.redis, streams)
        return await has_passed_on(dependencies.redis, streams, doubt.ends)

    async def _without_seen(
        self, member_id: str, missed: Differences, listed_ms: int
    ) -> Differences:
        """Without what came in online, though the enricher could not say of which entity."""
        keys = {
            *(Key.of_comment(member_id, one, COMMENT_ADDED) for one in missed.added),
            *(Key.of_comment(member_id, one, COMMENT_DELETED) for one in missed.deleted),
        }
        if not keys:
            return missed
        since_ms = listed_ms - int(_BEFORE_S * 1000)
        seen = await self._dependencies.online_events.of(keys, since_ms=since_ms)

        def unseen(comment_ids: tuple[int, ...], event_type: CommentType) -> tuple[int, ...]:
            return tuple(
                one for one in comment_ids if Key.of_comment(member_id, one, event_type) not in seen
            )

        return Differences(
            added=unseen(missed.added, COMMENT_ADDED),
            updated=missed.updated,
            deleted=unseen(missed.deleted, COMMENT_DELETED),
        )

    async def _publish(
        self, portal: Portal, missed: Differences, one: _Different, *, found_at: float
    ) -> None:
        events = _events(portal, missed, one, found_at=found_at)
        if not events:
            return
        for event in events:
            # Before it is published: after that, it would not be found a second time.
            await self._dependencies.gaps.note(
                portal.member_id, f"sweep:{event.id}", gaps_of([found_at], "sweep")
            )
        published = await self._dependencies.publisher.publish(events)
        metrics.RECOVERED_EVENTS.labels("sweep").inc(published)
        log.warning(
            "missed events recovered",
            member_id=portal.member_id,
            way="sweep",
            entity=str(one.entity),
            events=len(events),
            published_now=published,
            added=len(missed.added),
            updated=len(missed.updated),
            deleted=len(missed.deleted),
        )

    async def _note(
        self, portal: Portal, entity: Entity, listing: Listing, known: KnownEntity, listed_at: float
    ) -> None:
        listed_ms = int(listed_at * 1000)
        await self._dependencies.told.note(
            portal.member_id, entity, listing, known, listed_ms=listed_ms
        )


def _still(found: Differences, before: KnownEntity, now: KnownEntity) -> Differences:
    """What nobody was told of since `before`."""

    def untold(comment_ids: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(one for one in comment_ids if before.told.get(one) == now.told.get(one))

    return Differences(
        added=untold(found.added), updated=untold(found.updated), deleted=untold(found.deleted)
    )


async def _without_living(client: PortalClient, missed: Differences) -> Differences:
    """Without comments that were not deleted, only are not in the list any more."""
    gone: set[int] = set()
    for first in range(0, len(missed.deleted), MAX_COMMANDS):
        gone |= await gone_among(client, missed.deleted[first : first + MAX_COMMANDS])
    deleted = tuple(one for one in missed.deleted if one in gone)
    return Differences(added=missed.added, updated=missed.updated, deleted=deleted)


def _events(
    portal: Portal, missed: Differences, one: _Different, *, found_at: float
) -> list[CommentEvent | EntityEvent]:
    """The events of one entity; their ids are the same until what is known of it changes."""

    def event(
        event_type: CommentType, comment_id: int, *content: str
    ) -> CommentEvent | EntityEvent:
        at = one.known.listed_ms / 1000
        return recovered_event(
            recovered_id(at, portal.member_id, "sweep", event_type, comment_id, *content),
            event_type,
            EventSubject.of_comment(comment_id),
            portal,
            happened_at=found_at,
            found_at=datetime.fromtimestamp(found_at, UTC),
        )

    def updated(comment_id: int) -> CommentEvent | EntityEvent:
        since, found = one.known.told[comment_id].since, one.listing.hashes[comment_id]
        return event(COMMENT_UPDATED, comment_id, since, found)

    return [
        *(event(COMMENT_ADDED, comment_id) for comment_id in missed.added),
        *(updated(comment_id) for comment_id in missed.updated),
        *(event(COMMENT_DELETED, comment_id) for comment_id in missed.deleted),
    ]
