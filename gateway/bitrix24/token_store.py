"""Keeps the tokens of all portals, encrypted, in Redis.

    b24:oauth:{<member id>}             hash: sealed, version, epoch, written_epoch
    b24:oauth:{<member id>}:refresh     who refreshes the tokens at the moment: "<epoch>:<owner>"

Each write names the version that it was made of, so none undoes another one. A refresh writes with
the epoch of its lock: one that was overtaken, by a later refresh or by a new installation, cannot
write any more. The hash outlives its tokens for the sake of the epoch.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import structlog
from redis.asyncio import Redis

from gateway.bitrix24.errors import Unauthorized, Unavailable
from gateway.bitrix24.scripts import script, store_failures
from gateway.bitrix24.tokens import EventToken, Tokens, after_event, after_refresh
from gateway.vault.encryption import Unreadable, Vault

__all__ = ["TokenStore"]

log: Any = structlog.get_logger(__name__)

_MAX_TRIES: Final = 20
# A write loses only against another one, and those of a portal are few.


class TokenStore:
    """Keeps tokens; `client` is a control client (gateway.redis_access.connections.control) without
    decoding.

    Every method may be repeated, and raises Unavailable if Redis does not answer.
    """

    def __init__(self, client: Redis, vault: Vault, *, prefix: str) -> None:
        self._client = client
        self._vault = vault
        self._prefix = prefix
        self._store = script(client, "store")
        self._replace = script(client, "replace")
        self._lock = script(client, "lock")
        self._unlock = script(client, "unlock")

    async def read(self, member_id: str) -> Tokens | None:
        """The tokens of a portal; None if there are none.

        What an older key sealed is sealed anew with the newest. Raises Unauthorized if it was
        sealed with a key that is no longer listed.
        """
        return await self._change(member_id, lambda kept: kept)

    async def install(self, tokens: Tokens) -> None:
        """Keep what a verified installation brought, in place of whatever there was.

        The endpoint must be one that the authorization server confirmed. Raises ValueError if one
        of the tokens is empty.
        """
        if not (tokens.access_token and tokens.refresh_token and tokens.endpoint):
            raise ValueError("an installation without a token or an endpoint")
        await self._call(self._replace, [self._key(tokens.member_id)], [self._sealed(tokens)])

    async def forget(self, member_id: str) -> None:
        """Keep no tokens of this portal any more."""
        await self._call(self._replace, [self._key(member_id)], [b""])

    async def offer(self, member_id: str, token: EventToken) -> None:
        """Keep the access token of a verified event, if it is newer and the same user's.

        Nothing else of an event is kept, neither its endpoint nor a refresh token: whoever has
        stolen an application token could otherwise have new tokens sent to an address of his, or
        destroy ours. A portal without tokens stays without.
        """
        await self._change(member_id, lambda kept: after_event(kept, token))

    async def lock(self, member_id: str, owner: str, *, life_s: float) -> int:
        """Become the one who refreshes; the epoch to write with, or 0 if somebody else is."""
        keys = [self._key(member_id), self._lock_key(member_id)]
        return int(await self._call(self._lock, keys, [owner, round(life_s * 1000)]))

    async def unlock(self, member_id: str, owner: str, epoch: int) -> None:
        """Let others refresh; harmless if the lock is lost already."""
        await self._call(self._unlock, [self._lock_key(member_id)], [owner, epoch])

    async def renew(self, issued: Tokens, *, epoch: int) -> Tokens | None:
        """Keep what the authorization server issued; what is kept now, of whomever it is.

        It is another pair, or None, if a later refresh or an installation came first.
        """
        return await self._change(
            issued.member_id, lambda kept: after_refresh(kept, issued), epoch=epoch
        )

    async def _change(
        self, member_id: str, change: Callable[[Tokens], Tokens], *, epoch: int = 0
    ) -> Tokens | None:
        for _ in range(_MAX_TRIES):
            version, sealed = await self._read(member_id)
            if sealed is None:
                return None
            kept = self._opened(member_id, sealed)
            changed = change(kept)
            if changed == kept and self._vault.is_by_newest(sealed):
                return kept
            args = [version, epoch, self._sealed(changed)]
            outcome = int(await self._call(self._store, [self._key(member_id)], args))
            if outcome == 1:
                return changed
            if outcome < 0:
                log.warning("a refresh was overtaken", member_id=member_id)
                return await self.read(member_id)
        raise Unavailable("the portal's tokens change all the time")

    def _sealed(self, tokens: Tokens) -> bytes:
        return self._vault.seal(msgspec.json.encode(tokens))

    def _opened(self, member_id: str, sealed: bytes) -> Tokens:
        try:
            tokens = msgspec.json.decode(self._vault.open(sealed), type=Tokens)
        except (Unreadable, msgspec.DecodeError) as error:
            raise Unauthorized(f"the portal's tokens cannot be read: {error}") from None
        # One portal's text, copied to another one's place, must not open there.
        if tokens.member_id != member_id:
            raise Unauthorized("the tokens that are kept for the portal are another one's")
        return tokens

    async def _read(self, member_id: str) -> tuple[int, bytes | None]:
        with store_failures():
            fields: list[Any] = await self._client.hmget(
                self._key(member_id), ["version", "sealed"]
            )
        version, sealed = fields
        return int(version or 0), sealed

    @staticmethod
    async def _call(script_: Any, keys: list[str], args: list[Any]) -> Any:
        with store_failures():
            return await script_(keys=keys, args=args)

    def _key(self, member_id: str) -> str:
        return f"{self._prefix}:oauth:{{{member_id}}}"

    def _lock_key(self, member_id: str) -> str:
        return f"{self._key(member_id)}:refresh"
