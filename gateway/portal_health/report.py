"""Gathers how portals stand: from Redis, and from the portals themselves. Changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from time import time
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from gateway.bitrix24.bindings import Binding, expected
from gateway.bitrix24.connecting import Bitrix24
from gateway.bitrix24.errors import Bitrix24Error
from gateway.bitrix24.tokens import Tokens
from gateway.contract import (
    COMMENT_SUBJECT,
    EVENT_FIELD,
    CommentEvent,
    EntityEvent,
    InvalidEvent,
    decode_event,
)
from gateway.portal_health.double_delivery import handlers_of_doubles
from gateway.portal_health.portal_query import ask_application, ask_webhook, refused
from gateway.portal_health.silence_watch import silence_states
from gateway.portal_health.standing import MISSED_DAYS, AccessKind, Answers, Heard, PortalStanding
from gateway.portal_health.trouble_rules import TroubleState
from gateway.portal_health.troubles import trouble_states
from gateway.portal_health.usual_rate import hour_of, usual_per_hour
from gateway.portals.directory import Directory, Portal, shown_portals_of
from gateway.portals.facts import Facts, PortalFacts
from gateway.portals.quarantine import Quarantine
from gateway.portals.registry import Reading, Registry, portals_among
from gateway.settings import Settings
from gateway.traffic.portal_traffic import Traffic, slot_at

__all__ = ["Missed", "PortalReport"]

_AT_ONCE: Final = 16
_LATEST: Final = 500
# A quarter of a megabyte of each partition; a portal that doubles shows it in its next change.

Missed = Callable[[str, float], Awaitable[int]]
"""How many events of a portal (its member id) that happened since (Unix time) were found
afterwards."""


class PortalReport:
    """Asks about portals. Raises what a control client raises."""

    def __init__(
        self,
        settings: Settings,
        client: Redis,
        bitrix24: Bitrix24,
        missed: Missed,
    ) -> None:
        prefix = settings.redis.prefix
        self._settings = settings
        self._client: Any = client
        self._bitrix24 = bitrix24
        self._missed = missed
        self._registry = Registry(client, prefix=prefix)
        self._facts = PortalFacts(client, prefix=prefix)
        self._silence_states = silence_states(client, prefix=prefix)
        self._trouble_states = trouble_states(client, prefix=prefix)
        self._traffic = Traffic(client, prefix=prefix)
        self._quarantine = Quarantine(client, settings.quarantine, prefix=prefix)
        self._webhooks = {one.member_id for one in settings.portals if one.rest_webhook}
        handler, connector = settings.handler_url, settings.bitrix24.auth_connector
        self._wanted: Sequence[Binding] = (
            expected(handler, settings.subscription, connector=connector) if handler else ()
        )
        subscription = settings.subscription
        self._rows = subscription.by_wire_name
        self._fetched = [
            row.wire_name
            for row in subscription.rows
            if row.type in subscription.fetches or row.subject_kind == COMMENT_SUBJECT
        ]

    async def portals(self) -> list[Portal]:
        """Those that are registered, and those whose data are to be erased; by domain."""
        reading, facts = await self._registry.read_in_pages(), await self._facts.all()
        # Beside the loop: of ten thousand portals it takes a tenth of a second.
        return await asyncio.to_thread(_known, self._settings, reading, facts)

    async def standings(self, portals: Sequence[Portal]) -> list[PortalStanding]:
        """How these stand, in their order; a slow portal holds up the others by little."""
        places = asyncio.Semaphore(_AT_ONCE)
        doubling = handlers_of_doubles(await self._latest())

        async def standing(portal: Portal) -> PortalStanding:
            async with places:
                return await self._standing(portal, doubling.get(portal.member_id, ()))

        return await asyncio.gather(*map(standing, portals))

    async def _latest(self) -> list[CommentEvent | EntityEvent]:
        """The latest events that portals delivered, of each partition."""
        found: list[CommentEvent | EntityEvent] = []
        for key in self._settings.redis.streams.keys("events"):
            for _id, fields in await self._client.xrevrange(key, count=_LATEST):
                with suppress(InvalidEvent):
                    event = decode_event(fields.get(EVENT_FIELD, b""))
                    found += [event] if isinstance(event, CommentEvent | EntityEvent) else []
        return found

    async def _standing(self, portal: Portal, doubling: tuple[int, ...]) -> PortalStanding:
        """How a portal stands; what it does not answer is part of that."""
        member_id = portal.member_id
        facts = await self._facts.of(member_id)
        access, tokens, answers = await self._asked(portal)
        return PortalStanding(
            member_id=member_id,
            domain=portal.domain or facts.domain,
            endpoint=tokens.endpoint if tokens is not None else facts.endpoint,
            tokens=len(portal.digests),
            access=access,
            application=tokens.client_id if tokens is not None else None,
            server=tokens.server if tokens is not None else None,
            has_handler=bool(self._wanted),
            renewed_at=None if tokens is None else float(tokens.renewed_at),
            erase_since=_seconds(facts.erasure_due_since),
            answers=answers,
            heard=msgspec.structs.replace(await self._heard(member_id), doubling=doubling),
            lacking=self._lacking(access, answers),
            troubles=((await self._trouble_states.read(member_id)).value or TroubleState()).lasting,
        )

    def _lacking(self, access: AccessKind, answers: Answers) -> dict[str, tuple[str, ...]]:
        """The rights that a portal did not give, and the events that need them."""
        if answers.scope is None:
            return {}
        needed = self._fetched if access == "webhook" else answers.missing
        lacking: dict[str, tuple[str, ...]] = {}
        for name in needed:
            row = self._rows.get(name.partition(" ")[0])
            if row is not None and row.scope and row.scope not in answers.scope:
                lacking[row.scope] = (*lacking.get(row.scope, ()), name)
        return lacking

    async def _asked(self, portal: Portal) -> tuple[AccessKind, Tokens | None, Answers]:
        store, member_id = self._bitrix24.tokens, portal.member_id
        try:
            tokens = None if store is None else await store.read(member_id)
        except Bitrix24Error as error:
            return "application", None, refused(error)
        if store is not None and tokens is not None:
            answers = await ask_application(self._bitrix24.application(member_id), self._wanted)
            return "application", self._bitrix24.applications.named(tokens), answers
        if member_id in self._webhooks:
            return "webhook", None, await ask_webhook(self._bitrix24.portal(member_id))
        return "none", None, Answers()

    async def _heard(self, member_id: str) -> Heard:
        now = time()
        silence = (await self._silence_states.read(member_id)).value
        hour = hour_of(slot_at(now))
        return Heard(
            last_event_at=await self._traffic.last_event_at(member_id),
            usual_per_hour=None if silence is None else usual_per_hour(silence.rhythm, hour),
            listened_s=0.0 if silence is None else silence.watched_s,
            missed=await self._missed(member_id, now - MISSED_DAYS * 86400),
            quarantined=await self._quarantine.count(member_id, now_ms=int(now * 1000)),
        )


def _known(settings: Settings, reading: Reading, facts: Mapping[str, Facts]) -> list[Portal]:
    directory = Directory(shown_portals_of(settings.portals))
    directory.learn(portals_among(reading.registrations))
    found = {portal.member_id: portal for portal in directory}
    for member_id, of_portal in facts.items():
        if of_portal.erasure_due_since is not None and member_id not in found:
            found[member_id] = Portal(member_id=member_id, domain=of_portal.domain, digests=())
    return sorted(found.values(), key=lambda portal: (portal.domain, portal.member_id))


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
