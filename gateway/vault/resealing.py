"""Says by which key what Redis keeps is sealed, and seals it anew by the newest of [vault] keys.

    b24:oauth:{<member id>}                     a hash, field `sealed`: tokens
    b24:quarantine:{<member id>}:<receipt id>   a digest of 32 bytes, then what is sealed
    b24:snapshot:{<partition>}:…                all of it is sealed

What receivers have written down on their disks is not seen from here: installations under way, in
`[spool] dir`/`lifecycle`, which are done within minutes.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis

from gateway.redis_access import lua
from gateway.vault.encryption import Vault

__all__ = ["Box", "Census", "Resealing", "sealed_in"]

_PAGE: Final = 500
_DIGEST_BYTES: Final = 32


class Box(Struct, frozen=True):
    """Where sealed things of a kind are: keys of Redis' type `type`; behind `skip` bytes."""

    kind: str
    pattern: str
    type: str
    field: str = ""
    skip: int = 0


_BOXES: Final = (
    Box("tokens", "oauth:*", "HASH", field="sealed"),
    Box("quarantine", "quarantine:*", "STRING", skip=_DIGEST_BYTES),
    Box("snapshots", "snapshot:*", "STRING"),
)

Census = dict[str, Counter[int | None]]
"""By kind, how many are sealed by which key: 1 is the newest, None is none of them."""


class Resealing:
    """Seals anew everything that is sealed under a prefix; raises what a control client raises."""

    def __init__(self, client: Redis, vault: Vault, *, prefix: str) -> None:
        self._client: Any = client
        self._vault = vault
        self._prefix = prefix
        self._replace = lua.script(client, "gateway.vault", "replace_sealed.lua")

    async def census(self) -> Census:
        """By which keys things are sealed now. What is written meanwhile may be missing."""
        found: Census = {box.kind: Counter() for box in _BOXES}
        for box in _BOXES:
            async for _, raw in self._all(box):
                found[box.kind][self._vault.key_of(raw[box.skip :])] += 1
        return found

    async def reseal(self) -> int:
        """Seal anew, by the newest key, what an older one has sealed; how many. May be repeated."""
        count = 0
        for box in _BOXES:
            async for key, raw in self._all(box):
                secret = raw[box.skip :]
                if self._vault.key_of(secret) in (1, None):
                    continue
                fresh = raw[: box.skip] + self._vault.seal(self._vault.open(secret))
                arguments: list[bytes | str] = [raw, fresh]
                if box.field:
                    arguments.append(box.field)
                count += int(await self._replace(keys=[key], args=arguments))
        return count

    async def _all(self, box: Box) -> AsyncIterator[tuple[bytes, bytes]]:
        """The keys of a box with what is in them, as it is."""
        pattern = f"{self._prefix}:{box.pattern}"
        async for key in self._client.scan_iter(match=pattern, count=_PAGE, _type=box.type):
            raw = await (self._client.hget(key, box.field) if box.field else self._client.get(key))
            if raw:
                yield key, raw


def sealed_in(name: bytes, type_: str, values: Sequence[bytes]) -> tuple[str, bytes | None]:
    """The kind of what a key holds sealed, and that; None if nothing in it is. Pure.

    `name` is without the prefix; `values` are the key's, those of a hash with their fields in turn.
    """
    for box in _BOXES:
        if type_ != box.type.lower() or not name.startswith(box.pattern.removesuffix("*").encode()):
            continue
        fields = (
            dict(zip(values[::2], values[1::2], strict=True)) if box.field else {b"": values[0]}
        )
        raw = fields.get(box.field.encode())
        return box.kind, raw[box.skip :] if raw else None
    return "", None
