"""Says what a chain is given: how it is written, and what of an entry it needs."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from msgspec import Struct

from consumers.audit.records import Signer

__all__ = ["ChainEntry", "ChainOptions"]


class ChainEntry(Protocol):
    """What the log needs to know of an entry: its id, and the event's JSON."""

    @property
    def id(self) -> str:
        """Unique within stream and partition, and rising."""
        ...

    @property
    def raw(self) -> bytes:
        """One JSON object in UTF-8."""
        ...


class ChainOptions(Struct, frozen=True, kw_only=True):
    """How chains are written. A checkpoint follows after `checkpoint_every` records at most."""

    signer: Signer | None = None
    former_keys: tuple[str, ...] = ()
    checkpoint_every: int = 1000
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def public_key(self) -> str:
        """Of the signer; empty without one."""
        return self.signer.public_key if self.signer else ""
