"""Knows who may read the feed, by the digests of their tokens, which themselves nobody keeps."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from consumers.feed.scope import Scope, UnusableFilter, refuse_idle_types
from gateway.errors import OperatorError
from gateway.settings import FeedTokenSettings

__all__ = ["AccessTokens", "TokenHolder", "digest_of", "new_token"]

_PREFIX: Final = "b24feed_"
"""By which a token is known that stands where it should not."""
_BYTES: Final = 32


class TokenHolder(Struct, frozen=True):
    """Who has shown a token, and what it lets see."""

    name: str
    scope: Scope


class AccessTokens:
    """Knows the tokens of the settings."""

    def __init__(self, settings: Sequence[FeedTokenSettings]) -> None:
        """Raises OperatorError for a name or a digest that is there twice, and for a type that no
        event is of.
        """
        self._holders: list[tuple[bytes, TokenHolder]] = []
        names: set[str] = set()
        digests: set[str] = set()
        for one in settings:
            if one.name in names:
                raise OperatorError(f"[[feed.tokens]] name {one.name} is there twice")
            names.add(one.name)
            try:
                refuse_idle_types(one.types)
            except UnusableFilter as fault:
                raise OperatorError(f"[[feed.tokens]] {one.name} {fault}") from None
            holder = TokenHolder(one.name, _scope_of(one))
            for digest in one.digests:
                if digest in digests:
                    raise OperatorError(f"[[feed.tokens]] {one.name}: a digest is there twice")
                digests.add(digest)
                self._holders.append((bytes.fromhex(digest), holder))

    def holder_of(self, authorization: str) -> TokenHolder | None:
        """Who shows this header `Authorization`; takes the same time for a wrong token, however
        wrong.
        """
        kind, _, token = authorization.partition(" ")
        if kind.lower() != "bearer":
            return None
        given = hashlib.sha256(token.strip().encode(errors="surrogateescape")).digest()
        found: TokenHolder | None = None
        for digest, holder in self._holders:
            if hmac.compare_digest(given, digest):
                found = holder
        return found


def new_token() -> str:
    """A token that nobody can guess."""
    return _PREFIX + secrets.token_urlsafe(_BYTES)


def digest_of(token: str) -> str:
    """What the settings have of a token: too long to be guessed, so that a plain digest will do."""
    return hashlib.sha256(token.encode()).hexdigest()


def _scope_of(settings: FeedTokenSettings) -> Scope:
    return Scope(
        portals=frozenset(settings.portals) or None,
        types=frozenset(settings.types) or None,
        has_texts=settings.texts,
    )
