"""Puts access tokens that come with events into the token store, behind the back of the receiver.

Events bring one that is good for an hour, which saves a refresh. Half an hour after one was taken,
the next is looked for, in each receiver process. An event says who it is from by its application
token only, so the store takes little from it (gateway.bitrix24.token_store).
"""

import asyncio
from collections import deque
from time import monotonic, time
from typing import Any, Final

import structlog

from gateway import metrics
from gateway.background import Background
from gateway.bitrix24.errors import Bitrix24Error
from gateway.bitrix24.token_store import TokenStore
from gateway.bitrix24.tokens import EventToken
from gateway.inbound.form import FormError
from gateway.inbound.selection import Selection
from gateway.installation.uninstalling import is_of_application
from gateway.php_numbers import integer_of
from gateway.portals.application_tokens import digest_of
from gateway.portals.facts import PortalFacts
from gateway.redis_access.redis_faults import FAILURES

__all__ = ["EventTokens", "event_token_of"]

log: Any = structlog.get_logger(__name__)

_EVERY_S: Final = 1800.0
_MAX_WAITING: Final = 100
_LIFE_S: Final = 3600
_SELECTION: Final = Selection(
    access_token="auth[access_token]",  # noqa: S106 - where it stands, here and below
    application_token="auth[application_token]",  # noqa: S106
    user_id="auth[user_id]",
    expires="auth[expires]",
)


class EventTokens:
    """Takes bodies of verified deliveries, and offers the tokens in them to the store."""

    def __init__(self, tokens: TokenStore, facts: PortalFacts) -> None:
        self._tokens = tokens
        self._facts = facts
        self._not_before: dict[str, float] = {}
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._has_work = asyncio.Event()
        # Events are worth more than what comes along with them.
        self._looking = Background(self._run, name="tokens of events", begins_anew=True)

    def offer(self, member_id: str, body: bytes) -> None:
        """Look into a delivery later on, if it is time to. Neither waits nor raises."""
        if monotonic() >= self._not_before.get(member_id, 0.0) and (
            len(self._waiting) < _MAX_WAITING
        ):
            self._waiting.append((member_id, body))
            self._has_work.set()

    def start(self) -> None:
        """Start looking."""
        self._looking.start()

    async def close(self) -> None:
        """Stop; what waits is not needed."""
        await self._looking.close()

    async def _run(self) -> None:
        while True:
            while self._waiting:
                member_id, body = self._waiting.popleft()
                metrics.EVENT_TOKENS.labels(await self._offered(member_id, body)).inc()
            self._has_work.clear()
            await self._has_work.wait()

    async def _offered(self, member_id: str, body: bytes) -> str:
        found = event_token_of(body, now=int(time()))
        if found is None:
            return "none"
        token, digest = found
        try:
            # After an installation of another application, the former one's still come in a while.
            if not is_of_application(await self._facts.of(member_id), digest):
                return "none"
            await self._tokens.offer(member_id, token)
        except (Bitrix24Error, *FAILURES) as error:
            log.warning("the token of an event is not kept", member_id=member_id, why=str(error))
            return "away"
        self._not_before[member_id] = monotonic() + _EVERY_S
        return "taken"


def event_token_of(body: bytes, *, now: int) -> tuple[EventToken, bytes] | None:
    """The access token in a delivery, and the digest of the application token that it came with.

    None if there is none that can be used. `now` is Unix time. No token is good for longer than an
    hour from now, whatever the delivery says.
    """
    try:
        fields = _SELECTION.read(body)
    except FormError:
        return None
    access_token, user_id = fields.get("access_token", ""), integer_of(fields.get("user_id"))
    expires_at = min(integer_of(fields.get("expires")) or 0, now + _LIFE_S)
    if not access_token or not user_id or expires_at <= now:
        return None
    token = EventToken(user_id=user_id, access_token=access_token, expires_at=expires_at)
    return token, digest_of(fields.get("application_token", ""))
