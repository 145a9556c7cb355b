"""Asks portals whether they let us in, and what they have bound; binds again what they lost.

Nobody tells the gateway of either: an update of the application drops its handlers, and a grant is
gone when its user leaves or when nobody has used it for half a year. Events then just stop.

https://apidocs.bitrix24.com/api-reference/events/event-bind.html
https://apidocs.bitrix24.com/settings/oauth/auto-renewal.html
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis

from gateway import metrics
from gateway.bitrix24.bindings import Bound, compare, digest_of_wanted, expected
from gateway.bitrix24.connecting import Bitrix24
from gateway.bitrix24.errors import Bitrix24Error, PortalMoved
from gateway.bitrix24.tokens import REFRESH_LIFE_S, Tokens
from gateway.contract import PortalData, Trouble, timestamps
from gateway.portal_health.lost_bindings import lost, to_bind
from gateway.portal_health.troubles import Troubles
from gateway.portals.binding import bind_portal
from gateway.portals.directory import Portal
from gateway.portals.facts import Facts, PortalFacts
from gateway.settings import Settings

__all__ = ["Checkup", "is_refusal"]


class Checkup:
    """Looks at portals with the application, and at those with an inbound webhook.

    The call that looks also keeps the grant alive: half-way through its life the tokens are renewed
    (gateway.bitrix24.refreshing). `now` gives Unix seconds.
    """

    def __init__(
        self,
        client: Redis,
        bitrix24: Bitrix24,
        troubles: Troubles,
        settings: Settings,
        *,
        now: Callable[[], float],
    ) -> None:
        self._bitrix24 = bitrix24
        self._troubles = troubles
        self._settings = settings
        self._facts = PortalFacts(client, prefix=settings.redis.prefix)
        self._webhooks = {one.member_id for one in settings.portals if one.rest_webhook}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._now = now

    async def look(self, portal: Portal) -> None:
        """Ask the portal; tell what is wrong and what is not any more, and bind what is missing.

        One that can be asked in no way is left alone. Raises Bitrix24Error if the portal does not
        answer, one of connections.FAILURES or StreamUnavailable; may be repeated.
        """
        async with self._turns[portal.member_id]:
            facts = await self._facts.of(portal.member_id)
            try:
                tokens, rows = await self._asked(portal.member_id)
            except Bitrix24Error as error:
                if not is_refusal(error):
                    raise
                await self._troubles.began(
                    self._trouble(portal, "unauthorized", since=self._now(), reason=str(error))
                )
                return
            await self._troubles.over(portal.member_id, "unauthorized")
            if tokens is None:  # without the application, there is nothing of it to mend
                await self._troubles.over(portal.member_id, "token_expiring")
                await self._troubles.over(portal.member_id, "unbound")
            else:
                await self._warn(portal, tokens)
                await self._mend(portal, rows, facts)

    async def _asked(self, member_id: str) -> tuple[Tokens | None, Any]:
        """The tokens after the call, where it was one of the application, and what is bound."""
        store = self._bitrix24.tokens
        if store is not None and await store.read(member_id) is not None:
            application = self._bitrix24.application(member_id)
            answer = await application.call("event.get", is_repeatable=True)
            return await store.read(member_id), answer.result
        if member_id in self._webhooks:
            await self._bitrix24.portal(member_id).call("profile", is_repeatable=True)
        return None, None

    async def _warn(self, portal: Portal, tokens: Tokens) -> None:
        expires_at = tokens.renewed_at + REFRESH_LIFE_S
        if self._now() < expires_at - self._settings.reconcile.warn_token_days * 86400:
            await self._troubles.over(portal.member_id, "token_expiring")
        else:
            await self._troubles.began(
                self._trouble(
                    portal,
                    "token_expiring",
                    since=tokens.renewed_at,
                    expires_at=timestamps.seconds(expires_at),
                )
            )

    async def _mend(self, portal: Portal, rows: Any, facts: Facts) -> None:
        """Bind what is missing; `facts` are from before the portal was asked."""
        handler = self._settings.handler_url
        if not handler:
            return
        member_id, now = portal.member_id, datetime.fromtimestamp(self._now(), UTC)
        connector = self._settings.bitrix24.auth_connector
        wanted = expected(handler, self._settings.subscription, connector=connector)
        missing = compare(wanted, rows).missing
        if (await self._facts.of(member_id)).installed_at != facts.installed_at:
            return  # whoever has just installed the application binds its events
        if to_bind(missing, facts, now=now):
            bound = await bind_portal(
                member_id, bitrix24=self._bitrix24, facts=self._facts, settings=self._settings
            )
            assert bound is not None  # noqa: S101 - there is a URL
            await self._tell(
                portal, bound, facts, [str(one) for one in lost(missing, facts, wanted)]
            )
        else:
            if not missing:
                await self._facts.learn(member_id, bound_at=now, wanted=digest_of_wanted(wanted))
            await self._troubles.over(member_id, "unbound")

    async def _tell(self, portal: Portal, bound: Bound, facts: Facts, names: list[str]) -> None:
        """Tell of what the portal had lost, and of what it does not bind."""
        failed = {str(one): why for one, why in bound.failed.items() if not one.is_offline}
        regained = {str(one) for one in bound.bound} & set(names)
        metrics.REBOUND_HANDLERS.inc(len(regained))
        since = self._now() if facts.bound_at is None else facts.bound_at.timestamp()
        if failed:
            await self._troubles.began(
                self._trouble(
                    portal,
                    "unbound",
                    since=since,
                    missing=tuple(failed),
                    reason=next(iter(failed.values())),
                )
            )
            return
        if regained and "unbound" not in await self._troubles.lasting(portal.member_id):
            await self._troubles.happened(
                self._trouble(portal, "unbound", since=since, missing=tuple(names), is_mended=True)
            )
        await self._troubles.over(portal.member_id, "unbound")

    @staticmethod
    def _trouble(portal: Portal, trouble: Trouble, *, since: float, **facts: Any) -> PortalData:
        return PortalData(
            member_id=portal.member_id,
            domain=portal.domain,
            trouble=trouble,
            since=timestamps.seconds(int(since)),
            **facts,
        )


def is_refusal(error: Bitrix24Error) -> bool:
    """Whether it is for an operator to mend: the portal answers, and will not do as it is asked."""
    return not (error.is_retryable or isinstance(error, PortalMoved))
