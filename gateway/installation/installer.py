"""Installs the application in a portal, step by step; each may be repeated."""

import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from gateway.bitrix24.connecting import Bitrix24
from gateway.bitrix24.errors import (
    Bitrix24Error,
    NoRest,
    NotInPlan,
    PortalGone,
    Refused,
    Unauthorized,
    Unavailable,
)
from gateway.bitrix24.token_store import TokenStore
from gateway.clocks import is_believable
from gateway.installation.claim import Claim
from gateway.installation.confirmation import Confirmed, confirmed
from gateway.installation.errors import InstallationDelayed, NotConfirmed
from gateway.installation.token_owner import Patience, TokenInquiry
from gateway.portals.application_tokens import digest_of, shown
from gateway.portals.facts import PortalFacts
from gateway.portals.following import Follower
from gateway.portals.registry import Registry
from gateway.redis_access.redis_faults import FAILURES, failures_as

__all__ = ["Installer"]

log: Any = structlog.get_logger(__name__)

_LASTING: Final[dict[type[Bitrix24Error], str]] = {
    NoRest: "not_in_plan",
    NotInPlan: "not_in_plan",
    PortalGone: "portal_gone",
}
# What a portal would still say after the hour in which an installation is tried again.

_FORMER_TOKEN_ENDS: Final = timedelta(minutes=10)
# An ONAPPINSTALL overtakes deliveries that wait in Bitrix24's own queue, which are there within
# seconds, or in a bad hour minutes, of the change.


class Installer:
    """Confirms what is claimed, and registers what is confirmed.

    `allow_portals` are the member ids and domains of those that may install; all may if there are
    none.
    """

    def __init__(
        self,
        *,
        bitrix24: Bitrix24,
        asking: TokenInquiry,
        tokens: TokenStore,
        facts: PortalFacts,
        registry: Registry,
        follower: Follower,
        allow_portals: Collection[str] = (),
    ) -> None:
        self._bitrix24 = bitrix24
        self._asking = asking
        self._tokens = tokens
        self._facts = facts
        self._registry = registry
        self._follower = follower
        self._allow_portals = frozenset(name.lower() for name in allow_portals)

    async def confirm(
        self, claim: Claim, *, received_ms: int, is_complete: bool, urgent_for: str
    ) -> Confirmed:
        """The claimed installation as an authorization server, and then the portal, confirm it.

        `is_complete` is whether Bitrix24 has to take the application for installed already,
        `urgent_for` who waits for the answer, empty if nobody does. Raises NotConfirmed, or
        InstallationDelayed if one of them cannot be asked in time.
        """
        patience = Patience()
        with self._asking.place(urgent_for=urgent_for):
            told = await self._asking.told(claim, patience=patience, urgent_for=urgent_for)
            one = confirmed(
                claim,
                told.info,
                client_ids=told.client_ids,
                server=told.server,
                received_ms=received_ms,
                is_complete=is_complete,
            )
            self._need_allowed(one)
            async with patience.answer():
                await self._need_administrator(one)
        return one

    def _need_allowed(self, one: Confirmed) -> None:
        names = (one.member_id.lower(), one.domain.lower())
        if self._allow_portals and self._allow_portals.isdisjoint(names):
            raise NotConfirmed("not_allowed_portal")

    async def _need_administrator(self, one: Confirmed) -> None:
        """Everybody who works in the portal can get a token of the application: by opening it.

        Such a token must not replace the one that is stored, nor let a token of its holder's send.
        https://apidocs.bitrix24.com/api-reference/common/users/user-admin.html
        """
        portal = self._bitrix24.holder(one.tokens)
        try:
            answer = await portal.call("user.admin", is_repeatable=True)
        except Unauthorized as error:
            raise NotConfirmed("token_rejected") from error
        except (NotInPlan, PortalGone, Refused) as error:
            _tell_silent(one, error)
            raise NotConfirmed(_LASTING.get(type(error), "refused_by_portal")) from error
        except Bitrix24Error as error:
            _tell_silent(one, error)
            raise InstallationDelayed("portal") from error
        if answer.result is not True:
            raise NotConfirmed("not_administrator")

    async def register(self, one: Confirmed) -> None:
        """Keep the tokens, and let the portal send, in this process at once.

        An application token takes the place of the one that the application had before, which ends
        soon; a webhook's stays. Whatever was installed since this was received stays, too.
        Raises InstallationDelayed if Redis does not do its part.
        """
        with failures_as(lambda _: InstallationDelayed("redis"), among=(*FAILURES, Unavailable)):
            await self._keep(one)
            known = await self._facts.of(one.member_id)
            if known.was_installed_after(_received_at(one), now=datetime.now(UTC)):
                return
            await self._note(one)
            if one.application_token:
                await self._follower.look()  # a Redis that lost its data gets it back first
                digest = digest_of(one.application_token)
                await self._registry.add(one.member_id, one.domain, digest, now=datetime.now(UTC))
                await self._end_former(one.member_id, known.digest, digest)
                # Last, so that whoever repeats all of this still knows the former one.
                await self._facts.learn(one.member_id, digest=digest.hex())
                await self._follower.look()

    async def _end_former(self, member_id: str, former: str, digest: bytes) -> None:
        """Soon let the application's former token no longer send: it may have changed after a leak.

        Not at once, for Bitrix24 tells of an installation before it delivers what waits already.
        """
        if former in ("", digest.hex()):
            return
        reading = await self._registry.read()
        ended = [
            one
            for one in reading.registrations
            if (one.member_id, one.digest.hex()) == (member_id, former)
        ]
        await self._registry.end(ended, at=datetime.now(UTC) + _FORMER_TOKEN_ENDS)
        if ended:
            log.info(
                "the application's former token ends",
                member_id=member_id,
                token_digest=shown(ended[0].digest),
                minutes=int(_FORMER_TOKEN_ENDS / timedelta(minutes=1)),
            )

    async def knows_token(self, member_id: str) -> bool:
        """Whether the application's token of a portal is registered; raises InstallationDelayed."""
        with failures_as(lambda _: InstallationDelayed("redis")):
            digest = (await self._facts.of(member_id)).digest
            reading = await self._registry.read()
        return any(
            (one.member_id, one.digest.hex()) == (member_id, digest)
            for one in reading.registrations
        )

    async def _keep(self, one: Confirmed) -> None:
        try:
            kept = await self._tokens.read(one.member_id)
        except Unauthorized:  # by a key that is lost: these take their place
            kept = None
        # What is kept from later came by a refresh, which used ours up, or an installation since.
        if (
            kept is None
            or kept.renewed_at <= one.tokens.renewed_at
            or not is_believable(kept.renewed_at, now_s=time.time())
        ):
            await self._tokens.install(one.tokens)

    async def _note(self, one: Confirmed) -> None:
        facts: dict[str, Any] = {
            "domain": one.domain,
            "endpoint": one.tokens.endpoint,
            "client_id": one.tokens.client_id,
            "server": one.tokens.server,
            "status": one.status,
            "scope": one.scope,
            "installed_at": _received_at(one),
            "uninstalled_at": None,
        }
        await self._facts.learn(one.member_id, **facts)


def _tell_silent(one: Confirmed, error: Bitrix24Error) -> None:
    log.warning("a portal does not say who installs", why=str(error), member_id=one.member_id)


def _received_at(one: Confirmed) -> datetime:
    return datetime.fromtimestamp(one.received_ms / 1000, UTC)
