"""Registers portals while the gateway runs, in Redis; never a token, only digests.

    b24:{portals}           hash: "<member_id>:<token digest, hex>" -> {"domain": …, "added_at": …},
                            and "ends_at" where the application has another token since
    b24:{portals}:version   a new UUIDv7 with each change, so that a look is one small GET

(`b24` is `[redis] prefix`; the braces keep both keys in one slot of a cluster.) Each token is a
field of its own, so two people who change one portal at the same time cannot undo each other's
change. Every change writes both keys in one transaction. The version is never deleted: a Redis
without one knows nothing about portals, which is something else than knowing that there are none:
it has lost them, or never had any. Who knew them puts them back then, and the version says so.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct
from redis.asyncio import Redis
from uuid_utils import uuid7

from gateway.clocks import is_later
from gateway.portals.directory import Portal
from gateway.redis_access import lua

__all__ = [
    "DOMAIN",
    "MEMBER_ID",
    "Reading",
    "Registration",
    "Registry",
    "is_lost",
    "portals_among",
]

MEMBER_ID: Final = re.compile(r"[0-9A-Za-z_.-]{1,64}")
"""What may be registered as a portal's id; Bitrix24's are 32 hexadecimal digits."""
DOMAIN: Final = re.compile(r"[0-9A-Za-z_.:-]{1,255}")
"""What a portal may be called: a host name, with a port if need be."""
_DIGEST_BYTES: Final = 32
_PAGE: Final = 200
"""Registrations that are read before others have their turn: a millisecond."""
_PUT_BACK: Final = lua.source("gateway.portals", "put_back.lua")
_PUT_BACK_MARK: Final = "back:"


class Registration(Struct, frozen=True, kw_only=True):
    """One token of one portal, as it was registered; it lets nobody in from `ends_at` on."""

    member_id: str
    digest: bytes
    domain: str
    added_at: datetime
    ends_at: datetime | None = None

    def has_ended(self, now: datetime) -> bool:
        """Whether it is over by then; so is one that ends later than any that is ended now."""
        return self.ends_at is not None and not is_later(self.ends_at, now, now=now)


class Reading(Struct, frozen=True):
    """What Redis knew at one moment.

    `version` is None where it knows nothing about portals. What is unreadable, by somebody else's
    hand, lets nobody in.
    """

    version: str | None
    registrations: tuple[Registration, ...]
    unreadable_count: int = 0


def is_lost(known: Reading | None, version: str | None) -> bool:
    """True if Redis, whose version is this, has lost what we know and knows nothing later.

    It was emptied, or is another one, and then its silence removes nobody: a removal is a change,
    which has a version. What somebody put back who had known less than we do counts as lost, too;
    versions are in the order of their time, by the clocks of those who made the changes.
    """
    if known is None or known.version is None:
        return False
    if version is None:
        return True
    is_put_back = version.startswith(_PUT_BACK_MARK)
    return is_put_back and version < _put_back_version(known.version)


class _Value(Struct, frozen=True, omit_defaults=True):
    domain: str
    added_at: Annotated[datetime, Meta(tz=True)]
    ends_at: Annotated[datetime, Meta(tz=True)] | None = None


class Registry:
    """Keeps the registrations of one installation.

    Every method raises one of connections.FAILURES when Redis does not do its part, and
    may be repeated. `client` is a control client (gateway.redis_access.connections.control) without
    decoding.
    """

    def __init__(self, client: Redis, *, prefix: str) -> None:
        self._client = client
        self._key = f"{prefix}:{{portals}}"
        self._version_key = f"{self._key}:version"

    async def version(self) -> str | None:
        """The version of the registrations; None where Redis knows nothing about portals."""
        return _text(await self._client.get(self._version_key))

    async def read(self) -> Reading:
        """All registrations that have not ended, and their version at that moment."""
        async with self._client.pipeline(transaction=True) as pipeline:
            pipeline.get(self._version_key)
            pipeline.hgetall(self._key)
            version, fields = await pipeline.execute()
        found = [_registration(field, raw) for field, raw in fields.items()]
        readable = [one for one in found if one is not None]
        now = datetime.now(UTC)
        registrations = tuple(one for one in readable if not one.has_ended(now))
        return Reading(_text(version), registrations, len(found) - len(readable))

    async def read_in_pages(self) -> Reading:
        """As `read`, a few at a time, so that an event loop is never kept for long.

        A change meanwhile may be part of it or not: the version is that of before, and another by
        then, so that whoever looks again reads again.
        """
        version = await self.version()
        found: dict[bytes, Registration] = {}
        unreadable, cursor, now = set(), 0, datetime.now(UTC)
        while True:
            page: Any = self._client.hscan(self._key, cursor, count=_PAGE)
            cursor, fields = await page
            for field, raw in fields.items():
                if (one := _registration(field, raw)) is None:
                    unreadable.add(field)
                elif not one.has_ended(now):
                    found[field] = one
            if not int(cursor):
                return Reading(version, tuple(found.values()), len(unreadable))

    async def add(self, member_id: str, domain: str, digest: bytes, *, now: datetime) -> None:
        """Let a portal send with one more token; one that it has is registered anew.

        Raises ValueError for what `MEMBER_ID` and `DOMAIN` do not match.
        """
        is_fine = MEMBER_ID.fullmatch(member_id) and DOMAIN.fullmatch(domain)
        if not is_fine or len(digest) != _DIGEST_BYTES:
            raise ValueError("no member id, no domain or no digest")
        field, value = _field(member_id, digest), _value(domain, now)
        await self._change(lambda pipeline: pipeline.hset(self._key, field, value))

    async def end(self, registrations: Iterable[Registration], *, at: datetime) -> None:
        """Let these tokens send until then, and no longer; an earlier end stays."""
        pairs: dict[str | bytes, str | bytes] = {
            _field(one.member_id, one.digest): _value(one.domain, one.added_at, at)
            for one in registrations
            if one.ends_at is None or one.ends_at > at
        }
        if pairs:
            await self._change(lambda pipeline: pipeline.hset(self._key, mapping=pairs))

    async def remove(self, registrations: Iterable[Registration]) -> None:
        """Let these tokens no longer send; those that are not registered are passed over."""
        fields = [_field(one.member_id, one.digest) for one in registrations]
        if fields:
            await self._change(lambda pipeline: pipeline.hdel(self._key, *fields))

    async def put_back(self, known: Reading) -> bool:
        """Give Redis again what it knew, if it has lost it; whether these are the portals now.

        Replaces what was put back by somebody who knew less, and nothing else.
        """
        assert known.version is not None  # noqa: S101 - tells the type checker
        version = _put_back_version(known.version)
        pairs: list[str | bytes] = []
        for one in known.registrations:
            value = _value(one.domain, one.added_at, one.ends_at)
            pairs += (_field(one.member_id, one.digest), value)
        arguments = (self._key, self._version_key, version, _PUT_BACK_MARK, *pairs)
        return bool(await self._client.eval(_PUT_BACK, 2, *arguments))

    async def _change(self, change: Any) -> None:
        async with self._client.pipeline(transaction=True) as pipeline:
            change(pipeline)
            pipeline.set(self._version_key, str(uuid7()))
            await pipeline.execute()


def portals_among(registrations: Iterable[Registration]) -> list[Portal]:
    """The portals that these registrations make; the one made last names its portal."""
    by_portal: dict[str, list[Registration]] = {}
    for one in sorted(registrations, key=lambda one: (one.added_at, one.digest)):
        by_portal.setdefault(one.member_id, []).append(one)
    return [
        Portal(
            member_id=member_id,
            domain=ours[-1].domain,
            digests=tuple(one.digest for one in ours),
        )
        for member_id, ours in sorted(by_portal.items())
    ]


def _registration(field: bytes, raw: bytes) -> Registration | None:
    """What a field of the hash says; None if it cannot be read."""
    try:
        member_id, _, digest_hex = field.decode().rpartition(":")
        digest = bytes.fromhex(digest_hex)
        value = msgspec.json.decode(raw, type=_Value)
    except (ValueError, msgspec.DecodeError):
        return None
    if not MEMBER_ID.fullmatch(member_id) or len(digest) != _DIGEST_BYTES:
        return None
    return Registration(
        member_id=member_id,
        digest=digest,
        domain=value.domain,
        added_at=value.added_at,
        ends_at=value.ends_at,
    )


def _field(member_id: str, digest: bytes) -> str:
    return f"{member_id}:{digest.hex()}"


def _value(domain: str, added_at: datetime, ends_at: datetime | None = None) -> bytes:
    ends_at = ends_at.astimezone(UTC) if ends_at else None
    return msgspec.json.encode(_Value(domain, added_at.astimezone(UTC), ends_at))


def _put_back_version(version: str) -> str:
    return _PUT_BACK_MARK + version.removeprefix(_PUT_BACK_MARK)


def _text(raw: Any) -> str | None:
    return None if raw is None else bytes(raw).decode(errors="replace")
