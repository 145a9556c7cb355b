"""Uninstalls the application from a portal, step by step; each may be repeated.

The application token is the only proof that Bitrix24 gives of it:
https://apidocs.bitrix24.com/api-reference/common/events/on-app-uninstall.html
"""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import structlog
from msgspec import Struct

from gateway.bitrix24.errors import Unavailable
from gateway.bitrix24.token_store import TokenStore
from gateway.clocks import is_later
from gateway.contract import AppEvent
from gateway.installation.errors import InstallationDelayed
from gateway.portals.application_tokens import shown
from gateway.portals.facts import Facts, PortalFacts
from gateway.portals.following import Follower
from gateway.portals.registry import Registry
from gateway.redis_access.redis_faults import FAILURES, failures_as

__all__ = ["Uninstallation", "Uninstaller", "is_of_application"]

log: Any = structlog.get_logger(__name__)


class Uninstallation(Struct, frozen=True, kw_only=True):
    """What is to be taken away: the token of this digest and, if it is the application's, all that
    is the application's. `event` is what the stream is told.
    """

    event: AppEvent
    digest: bytes
    clean: bool


class Uninstaller:
    """Takes away what an uninstallation ends; `tokens` is None without an application.

    `settled` are the portals of the settings with the digests of their tokens, which nothing here
    can change.
    """

    def __init__(
        self,
        *,
        tokens: TokenStore | None,
        facts: PortalFacts,
        registry: Registry,
        follower: Follower,
        settled: Collection[tuple[str, bytes]],
    ) -> None:
        self._tokens = tokens
        self._facts = facts
        self._registry = registry
        self._follower = follower
        self._settled = settled

    async def take_away(self, member_id: str, one: Uninstallation, *, received_ms: int) -> None:
        """Let the token no longer send; forget the application's tokens, mark what is to be erased.

        What was installed since it was received stays. Raises InstallationDelayed if Redis does not
        do its part.
        """
        received_at = datetime.fromtimestamp(received_ms / 1000, UTC)
        with failures_as(lambda _: InstallationDelayed("redis"), among=(*FAILURES, Unavailable)):
            await self._disable(member_id, one.digest, received_at)
            known = await self._facts.of(member_id)
            if is_of_application(known, one.digest):
                await self._end(member_id, known, received_at)
                if one.clean:
                    due_since = known.erasure_due_since or received_at
                    await self._facts.learn(member_id, erasure_due_since=due_since)
        log.info(
            "the application was uninstalled",
            member_id=member_id,
            token_digest=shown(one.digest),
            clean=one.clean,
        )
        if (member_id, one.digest) in self._settled:
            log.warning(
                "an uninstalled portal stands in the settings: take its token out of [[portals]]",
                member_id=member_id,
            )

    async def _disable(self, member_id: str, digest: bytes, received_at: datetime) -> None:
        await self._follower.look()  # a Redis that lost its data gets it back first
        reading = await self._registry.read()
        now = datetime.now(UTC)
        ended = [
            one
            for one in reading.registrations
            if (one.member_id, one.digest) == (member_id, digest)
            and not is_later(one.added_at, received_at, now=now)
        ]
        await self._registry.remove(ended)
        await self._follower.look()

    async def _end(self, member_id: str, known: Facts, received_at: datetime) -> None:
        if known.was_installed_after(received_at, now=datetime.now(UTC)):
            return
        if self._tokens is not None:
            await self._tokens.forget(member_id)
        await self._facts.learn(member_id, uninstalled_at=received_at)


def is_of_application(known: Facts, digest: bytes) -> bool:
    """Whether a token is the application's, and not that of a webhook of the same portal.

    Whoever made a webhook knows its token, and must not be able to end the application with it.
    Where the application was registered by hand, nobody knows whose a token is.
    """
    return not known.digest or known.digest == digest.hex()
