"""Keeps what the authorization server has issued, and to whom; no I/O.

https://apidocs.bitrix24.com/settings/oauth/index.html
"""

import secrets
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

__all__ = ["ACCESS_LIFE_S", "MAX_HOPS", "Grant", "Grants", "RegisteredApplication"]

ACCESS_LIFE_S: Final = 3600
# Each event issues one: a portal that lives long must not keep all of them.
_REMEMBERED_S: Final = 2 * ACCESS_LIFE_S
_REFRESH_LIFE_S: Final = 180 * 24 * 3600
MAX_HOPS: Final = 7
"""How often an event may lead to a call that leads to an event, before the portal falls silent."""


class RegisteredApplication(Struct, frozen=True, kw_only=True):
    """An application as the authorization server knows it; both are obviously made up."""

    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"RegisteredApplication(client_id={self.client_id!r}, …)"


class Grant(Struct, frozen=True, kw_only=True):
    """A right to act as a user of a portal. Times in Unix seconds.

    `refresh_token` is empty if it cannot be renewed, as that of an event; `hops` are the events
    that calls with it may still lead to.
    """

    client_id: str
    member_id: str
    user_id: int
    access_token: str
    expires_at: int
    refresh_token: str
    refresh_until: int
    hops: int

    def __repr__(self) -> str:
        return f"Grant(member_id={self.member_id!r}, user_id={self.user_id}, …)"


class Grants:
    """Keeps all tokens in circulation; `clock` gives Unix seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._by_access: dict[str, Grant] = {}
        self._by_refresh: dict[str, Grant] = {}
        self._issued: deque[tuple[int, str]] = deque()

    def issue(
        self,
        client_id: str,
        member_id: str,
        user_id: int,
        *,
        is_renewable: bool = True,
        hops: int = MAX_HOPS,
    ) -> Grant:
        """A new pair; without a refresh token if it is not renewable."""
        now = int(self._clock())
        grant = Grant(
            client_id=client_id,
            member_id=member_id,
            user_id=user_id,
            # As long as real ones: 70 and 32 characters.
            access_token=f"fakeaccess{secrets.token_hex(30)}",
            expires_at=now + ACCESS_LIFE_S,
            refresh_token=f"fakerefresh{secrets.token_hex(11)}" if is_renewable else "",
            refresh_until=now + _REFRESH_LIFE_S,
            hops=hops,
        )
        self._forget_old(now)
        self._issued.append((now, grant.access_token))
        self._by_access[grant.access_token] = grant
        if is_renewable:
            self._by_refresh[grant.refresh_token] = grant
        return grant

    def renew(self, client_id: str, refresh_token: str) -> Grant | None:
        """A new pair for a refresh token, which is good for nothing after that.

        None if it is not, or was issued to another application. The access token that was issued
        with it stays valid until it expires.
        """
        used = self._by_refresh.get(refresh_token)
        if used is None or used.client_id != client_id or used.refresh_until <= self._clock():
            return None
        del self._by_refresh[refresh_token]
        return self.issue(used.client_id, used.member_id, used.user_id)

    def of(self, access_token: str) -> Grant | None:
        """What an access token was issued for, even if it has expired not long ago."""
        return self._by_access.get(access_token)

    def tokens(self) -> list[str]:
        """All that are good, or were not long ago."""
        return [*self._by_access, *self._by_refresh]

    def has_expired(self, grant: Grant) -> bool:
        """Whether its access token is too old."""
        return grant.expires_at <= self._clock()

    def expire(self, member_id: str) -> None:
        """Let no access token of a portal that has been issued so far be good any more."""
        for token, grant in self._by_access.items():
            if grant.member_id == member_id:
                self._by_access[token] = msgspec.structs.replace(grant, expires_at=0)

    def revoke(self, member_id: str, client_id: str) -> None:
        """Forget all that was issued to an application in a portal."""
        for tokens in (self._by_access, self._by_refresh):
            for token, grant in list(tokens.items()):
                if (grant.member_id, grant.client_id) == (member_id, client_id):
                    del tokens[token]

    def _forget_old(self, now: int) -> None:
        while self._issued and self._issued[0][0] + _REMEMBERED_S < now:
            self._by_access.pop(self._issued.popleft()[1], None)
