"""Keeps deliveries for registered portals whose token is not registered: forged, or after a
rotation.

Redis keeps them encrypted until somebody has fixed the token, for a bounded time:

    b24:quarantine:{<member_id>}                  zset: receipt ids, by time of receipt (ms)
    b24:quarantine:{<member_id>}:token:<digest>   zset: those that carry one token
    b24:quarantine:{<member_id>}:tokens           zset: digests, by how much of each is kept
    b24:quarantine:{<member_id>}:came             zset: digests, by how often each came
    b24:quarantine:{<member_id>}:<receipt id>     the token's digest, then what the vault sealed
    b24:quarantine:bytes                          gateway.portals.quarantine_size
    b24:quarantine:portals                        gateway.portals.quarantine_holders

One token has half of a portal's places at most, so a webhook that nobody registered leaves room for
the day when another token is changed. When all places are taken, tokens that came a few times give
way to those that came as often: after a rotation one token comes again and again, and whoever
forges has to use a thousand to take the places. What came ten times stays: nothing that comes later
can push it out. All portals together have [quarantine] max_bytes, and nothing more is kept when
Redis has used three quarters of the memory from which on new events would have to wait.
"""

from collections.abc import Iterator, Sequence
from time import time_ns
from typing import Any, Final, Literal, cast

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from gateway.inbound.delivery import Delivery
from gateway.portals.quarantine_holders import QuarantineHolders
from gateway.portals.quarantine_size import QuarantineSize
from gateway.redis_access import lua
from gateway.redis_access.server_memory import memory_by_server
from gateway.settings import QuarantineSettings
from gateway.vault.encryption import Unreadable, Vault

__all__ = ["Quarantine", "Sealed", "Verdict", "opened", "sealed"]

_SCRIPT: Final = lua.source("gateway.portals", "keep.lua")
_DIGEST_BYTES: Final = 32

_STAYS_FROM: Final = 10
_PAGE: Final = 500
_MEMORY_SHARE: Final = 0.75

Verdict = Literal["kept", "took_place", "full", "token_full", "total_full", "no_memory"]
"""What became of a delivery; `took_place` is one that is kept instead of another token's."""


class Sealed(Struct, frozen=True, gc=False):
    """A delivery as it is kept: encrypted, with the digest of the token that it carries."""

    member_id: str
    receipt_id: str
    received_ms: int
    digest: bytes
    secret: bytes


def sealed(delivery: Delivery, digest: bytes, vault: Vault) -> Sealed:
    """Encrypt a delivery that carries the token of this digest."""
    return Sealed(
        member_id=delivery.member_id,
        receipt_id=delivery.receipt_id,
        received_ms=delivery.received_ms,
        digest=digest,
        secret=vault.seal(msgspec.msgpack.encode(delivery)),
    )


def opened(kept: Sealed, vault: Vault) -> Delivery:
    """Decrypt; raises Unreadable, also for a delivery that was kept under another name."""
    try:
        delivery = msgspec.msgpack.decode(vault.open(kept.secret), type=Delivery)
    except msgspec.DecodeError as error:
        raise Unreadable("of another version") from error
    claimed = (kept.member_id, kept.receipt_id, kept.received_ms)
    if claimed != (delivery.member_id, delivery.receipt_id, delivery.received_ms):
        raise Unreadable("kept under another name")
    return delivery


class Quarantine:
    """Keeps the quarantined deliveries of one installation.

    Every method raises one of connections.FAILURES when Redis does not do its part, and
    may be repeated. `client` is a control client (gateway.redis_access.connections.control).
    `max_memory_share` is the share of Redis's memory from which on new events wait in the spool.
    """

    def __init__(
        self,
        client: Redis,
        settings: QuarantineSettings,
        *,
        prefix: str,
        max_memory_share: float = 1.0,
    ) -> None:
        self._client = client
        self._max_bytes = settings.max_bytes
        self._memory_share = _MEMORY_SHARE * max_memory_share
        self._places = settings.max_deliveries
        self._token_places = max(1, settings.max_deliveries // 2)
        self._kept_ms = int(settings.kept_s * 1000)
        self._prefix = prefix
        self._size = QuarantineSize(client, kept_ms=self._kept_ms, prefix=prefix)
        self._holders = QuarantineHolders(client, kept_ms=self._kept_ms, prefix=prefix)

    async def bytes(self, *, now_ms: int) -> int:
        """How much is kept for all portals."""
        return await self._size.bytes(now_ms=now_ms)

    async def keep(self, deliveries: Sequence[Sealed], *, now_ms: int) -> list[Verdict]:
        """Keep those for which there is a place; says for each what became of it."""
        places = [self._index(one.member_id) for one in deliveries]
        servers = await memory_by_server(self._client, places)
        if any(server.share >= self._memory_share for server in servers):
            return ["no_memory"] * len(deliveries)
        is_full = await self._size.bytes(now_ms=now_ms) >= self._max_bytes
        async with self._client.pipeline(transaction=False) as pipeline:
            for one in deliveries:
                pipeline.eval(
                    _SCRIPT,
                    5,
                    self._index(one.member_id),
                    self._token_index(one),
                    self._key(one.member_id, one.receipt_id),
                    f"{self._index(one.member_id)}:tokens",
                    f"{self._index(one.member_id)}:came",
                    one.receipt_id,
                    one.received_ms,
                    now_ms,
                    self._kept_ms,
                    self._places,
                    self._token_places,
                    one.digest + one.secret,
                    one.digest.hex(),
                    _STAYS_FROM,
                    int(is_full),
                )
            results: list[tuple[bytes, int, int, int]] = await pipeline.execute()
        added = {one.member_id for one, row in zip(deliveries, results, strict=True) if row[1]}
        await self._holders.add(added, now_ms=now_ms)
        await self._size.add(_changes(deliveries, results), now_ms=now_ms)
        verdicts = [cast(Verdict, verdict.decode()) for verdict, *_ in results]
        return ["total_full" if is_full and one == "full" else one for one in verdicts]

    async def of(self, member_id: str) -> list[Sealed]:
        """What is kept for a portal, in the order of receipt."""
        index: Any = await self._client.zrange(self._index(member_id), 0, -1, withscores=True)
        if not index:
            return []
        names = [(receipt_id.decode(), int(received_ms)) for receipt_id, received_ms in index]
        kept = await self._client.mget([self._key(member_id, name) for name, _ in names])
        return [
            Sealed(
                member_id=member_id,
                receipt_id=receipt_id,
                received_ms=received_ms,
                digest=raw[:_DIGEST_BYTES],
                secret=raw[_DIGEST_BYTES:],
            )
            for (receipt_id, received_ms), raw in zip(names, kept, strict=True)
            if isinstance(raw, bytes)  # else it has expired
        ]

    async def holder_of(self, receipt_id: str) -> str | None:
        """The portal for which the delivery of this id is kept; None if none is."""
        member_ids = await self._holders.read()
        for first in range(0, len(member_ids), _PAGE):
            some = member_ids[first : first + _PAGE]
            async with self._client.pipeline(transaction=False) as pipeline:
                for member_id in some:
                    pipeline.zscore(self._index(member_id), receipt_id)
                scores = await pipeline.execute()
            for member_id, score in zip(some, scores, strict=True):
                if score is not None:
                    return member_id
        return None

    async def count(self, member_id: str, *, now_ms: int) -> int:
        """How many deliveries are kept for a portal."""
        since = now_ms - self._kept_ms
        return int(await self._client.zcount(self._index(member_id), since, "+inf"))

    async def remove(self, deliveries: Sequence[Sealed]) -> None:
        """Keep these no longer; those that are not kept are passed over."""
        async with self._client.pipeline(transaction=False) as pipeline:
            for one in deliveries:
                pipeline.zrem(self._index(one.member_id), one.receipt_id)
                pipeline.zrem(self._token_index(one), one.receipt_id)
                pipeline.delete(self._key(one.member_id, one.receipt_id))
            removed = (await pipeline.execute())[2::3]
        gone = [
            (one.received_ms, -_size_of(one))
            for one, was_there in zip(deliveries, removed, strict=True)
            if was_there
        ]
        await self._size.add(gone, now_ms=time_ns() // 1_000_000)

    def _index(self, member_id: str) -> str:
        return f"{self._prefix}:quarantine:{{{member_id}}}"

    def _token_index(self, one: Sealed) -> str:
        return f"{self._index(one.member_id)}:token:{one.digest.hex()}"

    def _key(self, member_id: str, receipt_id: str) -> str:
        return f"{self._index(member_id)}:{receipt_id}"


def _changes(
    deliveries: Sequence[Sealed], results: Sequence[tuple[bytes, int, int, int]]
) -> Iterator[tuple[int, int]]:
    """What keeping them has changed, for QuarantineSize."""
    for one, (_, added, freed, freed_at_ms) in zip(deliveries, results, strict=True):
        if added:
            yield one.received_ms, added
        if freed:
            yield freed_at_ms, -freed


def _size_of(one: Sealed) -> int:
    return len(one.digest) + len(one.secret)
