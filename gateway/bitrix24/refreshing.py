"""Refreshes a portal's tokens: one at a time, across all processes.

A refresh token may be good for one use only, so two refreshes at once could leave the gateway with
neither pair. Whoever finds a token rejected waits for the lock, looks whether somebody else has
refreshed meanwhile, and only else asks the authorization server. The new pair is stored before
anybody uses it.
"""

import asyncio
import random
import time
from contextlib import suppress
from typing import Any, Final

import structlog
from uuid_utils import uuid4

from gateway.background import owned
from gateway.bitrix24.applications import Applications
from gateway.bitrix24.errors import Bitrix24Error, MaybeDone, NoCredentials, Unavailable
from gateway.bitrix24.request_retry import pause_s
from gateway.bitrix24.token_store import TokenStore
from gateway.bitrix24.tokens import Tokens

__all__ = ["Refresher"]

log: Any = structlog.get_logger(__name__)

_LOOK_EVERY_S: Final = 0.1
_NEWS_AFTER_S: Final = 60.0
_AGAIN_AFTER_S: Final = 3600.0
# A refresh that only keeps the grant alive has months to succeed in.


class Refresher:
    """Gives out tokens, and new ones for rejected ones.

    `lock_life_s` must be longer than a request to the authorization server can take; after it, a
    process that died with the lock no longer holds up others.
    """

    def __init__(
        self,
        store: TokenStore,
        applications: Applications,
        *,
        lock_life_s: float,
    ) -> None:
        self._store = store
        self._applications = applications
        self._lock_life_s = lock_life_s
        self._under_way: dict[str, asyncio.Task[Tokens]] = {}
        self._not_due_before: dict[str, float] = {}

    async def current(self, member_id: str) -> Tokens:
        """The tokens to use. Raises Unauthorized if the portal has none, Unavailable.

        Half-way through the refresh token's life they are refreshed; a failure of that does not
        matter yet.
        """
        tokens = _required(await self._store.read(member_id))
        now = time.time()
        if not tokens.is_due(now) or now < self._not_due_before.get(member_id, 0.0):
            return tokens
        try:
            return await self.fresh(tokens)
        except Bitrix24Error:
            self._not_due_before[member_id] = now + _AGAIN_AFTER_S
            return tokens

    async def fresh(self, rejected: Tokens) -> Tokens:
        """Tokens other than the rejected ones.

        Callers in this process share one refresh, which goes on when they are cancelled: what the
        authorization server has issued must be stored. Raises Unauthorized if the grant is gone,
        Unavailable if nobody could refresh now.
        """
        key = rejected.access_token
        task = self._under_way.get(key)
        if task is None:
            task = owned(self._refreshed(rejected))
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(task)

    def is_worth_asking(self, tokens: Tokens) -> bool:
        """Whether the authorization server may know more than it said with these tokens."""
        return time.time() - tokens.renewed_at > _NEWS_AFTER_S

    async def close(self) -> None:
        """Wait for refreshes under way; their outcome is their callers' concern."""
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    def _ended(self, key: str, done: asyncio.Task[Tokens]) -> None:
        del self._under_way[key]
        if not done.cancelled():
            done.exception()  # callers who were cancelled do not ask for it

    async def _refreshed(self, rejected: Tokens) -> Tokens:
        member_id, owner = rejected.member_id, str(uuid4())
        loop = asyncio.get_running_loop()
        until = loop.time() + 2 * self._lock_life_s
        while True:
            kept = _required(await self._store.read(member_id))
            if kept.access_token != rejected.access_token:
                return kept
            epoch = await self._store.lock(member_id, owner, life_s=self._lock_life_s)
            if epoch:
                break
            if loop.time() > until:
                raise Unavailable("another process does not finish its refresh")
            await asyncio.sleep(_LOOK_EVERY_S * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        try:
            # The one who had the lock before may have stored a pair since we looked.
            kept = _required(await self._store.read(member_id))
            if kept.access_token != rejected.access_token:
                return kept
            stored = await self._stored(await self._issued(kept), epoch)
        except Bitrix24Error as error:
            log.warning("a portal's tokens were not refreshed", member_id=member_id, why=str(error))
            raise
        finally:
            with suppress(Unavailable):  # then the lock expires
                await self._store.unlock(member_id, owner, epoch)
        log.info("a portal's tokens were refreshed", member_id=member_id)
        return stored

    async def _issued(self, kept: Tokens) -> Tokens:
        try:
            return await self._applications.of(kept).refresh(kept)
        except MaybeDone as error:
            # About the refresh, that is: the call that needs it was not carried out.
            failure = Unavailable(f"the authorization server: {error}", code=error.code)
        raise failure

    async def _stored(self, issued: Tokens, epoch: int) -> Tokens:
        """Keep trying as long as the lock is ours: nobody will issue this pair again."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._lock_life_s
        failures = 0
        while True:
            try:
                return _required(await self._store.renew(issued, epoch=epoch))
            except Unavailable:
                failures += 1
                wait_s = pause_s(failures)
                if loop.time() + wait_s > until:
                    log.error("a portal's new tokens are lost", member_id=issued.member_id)
                    raise
                log.warning("a portal's new tokens wait for Redis", member_id=issued.member_id)
                await asyncio.sleep(wait_s)


def _required(tokens: Tokens | None) -> Tokens:
    if tokens is None:
        raise NoCredentials("the gateway has no tokens of this portal")
    return tokens
