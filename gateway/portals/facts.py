"""Keeps what is known of portals beside their tokens, in Redis; nothing secret.

    b24:{portals}:facts     hash: "<member_id>:<fact>" -> JSON

One hash for all portals, beside the registry (gateway.portals.registry) in the same slot: a look at
all of them is one command, and each fact is a field of its own, so processes that write different
ones do not undo each other's. A portal's facts outlive its registration: after an uninstallation
they say that its data are to be erased.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct
from redis.asyncio import Redis

from gateway.clocks import is_later

__all__ = ["Facts", "PortalFacts"]

_Moment = Annotated[datetime, Meta(tz=True)]


class Facts(Struct, frozen=True, kw_only=True):
    """What is known of one portal; each field has its default where nothing is.

    Of the application: `endpoint`, `domain`, `status` (`L`ocal, `F`ree, `D`emo, `T`rial, `P`aid,
    `S`ubscription) and `scope` are as the authorization server confirmed them, `client_id` says
    which application it is, `server` is the root of the authorization server that confirmed it,
    `digest` is its application token's in hexadecimal. `bound_at` is when events were last
    bound, or found to be; `wanted` is the digest of what was to be bound then
    (gateway.bitrix24.bindings.digest_of_wanted), `unbound` are those that were not, with the
    reasons; `queue` is whether they also wait in the portal's queue of offline events.
    """

    domain: str = ""
    endpoint: str = ""
    client_id: str = ""
    server: str = ""
    status: str = ""
    scope: str = ""
    digest: str = ""
    installed_at: _Moment | None = None
    uninstalled_at: _Moment | None = None
    erasure_due_since: _Moment | None = None
    bound_at: _Moment | None = None
    wanted: str = ""
    unbound: dict[str, str] = {}
    queue: Literal["", "bound", "not_in_plan", "failed"] = ""

    @property
    def is_installed(self) -> bool:
        """Whether the application is in the portal, as far as is known."""
        return self.installed_at is not None and self.uninstalled_at is None

    def was_installed_after(self, moment: datetime, *, now: datetime) -> bool:
        """Whether the application was installed later than at a moment, as far as is known."""
        return self.installed_at is not None and is_later(self.installed_at, moment, now=now)


_NOTHING: Final = Facts()
_NAMES: Final = frozenset(Facts.__struct_fields__)


class PortalFacts:
    """Keeps the facts of all portals of one installation.

    Every method raises one of connections.FAILURES when Redis does not do its part, and
    may be repeated. `client` is a control client (gateway.redis_access.connections.control) without
    decoding.
    """

    def __init__(self, client: Redis, *, prefix: str) -> None:
        self._client = client
        self._key = f"{prefix}:{{portals}}:facts"

    async def of(self, member_id: str) -> Facts:
        """What is known of a portal."""
        names = Facts.__struct_fields__
        values: Any = await self._client.hmget(
            self._key, [_field(member_id, name) for name in names]
        )
        return _facts({name: raw for name, raw in zip(names, values, strict=True) if raw})

    async def all(self) -> dict[str, Facts]:
        """What is known, by member ids, in their order."""
        fields: Any = await self._client.hgetall(self._key)
        # Beside the loop, which many portals would keep for long.
        return await asyncio.to_thread(_all, fields)

    async def learn(self, member_id: str, **facts: Any) -> None:
        """Note these facts, in place of what they were before; the others stay.

        Raises ValueError for what is no fact.
        """
        if not _NAMES.issuperset(facts):
            raise ValueError(f"{sorted(set(facts) - _NAMES)} are no facts")
        fields: Any = {
            _field(member_id, name): msgspec.json.encode(_in_utc(value))
            for name, value in facts.items()
        }
        await self._client.hset(self._key, mapping=fields)

    async def forget(self, member_id: str) -> int:
        """Note that nothing is known of a portal; how many facts were."""
        forgotten: Any = self._client.hdel(
            self._key, *(_field(member_id, name) for name in Facts.__struct_fields__)
        )
        return int(await forgotten)


def _all(fields: Mapping[bytes, bytes]) -> dict[str, Facts]:
    found: dict[str, dict[str, bytes]] = {}
    for field, raw in fields.items():
        member_id, _, name = field.decode(errors="replace").rpartition(":")
        if name in _NAMES:
            found.setdefault(member_id, {})[name] = raw
    return {member_id: _facts(found[member_id]) for member_id in sorted(found)}


def _in_utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def _facts(raw: dict[str, bytes]) -> Facts:
    """The facts of one portal; what is not readable, by somebody else's hand, is not known."""
    known = {}
    for name, value in raw.items():
        try:
            fact = msgspec.convert({name: msgspec.json.decode(value)}, type=Facts)
        except (msgspec.DecodeError, msgspec.ValidationError):
            continue
        known[name] = getattr(fact, name)
    return msgspec.structs.replace(_NOTHING, **known)


def _field(member_id: str, name: str) -> str:
    return f"{member_id}:{name}"
