"""Describes several consumers that one process runs, as independent of each other as if alone."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext

from msgspec import Struct

from consumers.runtime.consumer import Consumer

__all__ = ["ConsumerSet"]


class ConsumerSet(Struct, frozen=True, eq=False, kw_only=True):
    """Consumers of different groups, and what their process is called in logs and heartbeats.

    `lifespan` is entered before any of them reads, and left after the last acknowledgement of all;
    `why_not_ready` is of the process, beside what each consumer says.
    """

    name: str
    consumers: tuple[Consumer, ...]
    lifespan: Callable[[], AbstractAsyncContextManager[object]] = nullcontext
    why_not_ready: Callable[[], str | None] = lambda: None

    @classmethod
    def of(cls, given: "Consumer | ConsumerSet") -> "ConsumerSet":
        """A set as it is, or the set of one consumer."""
        if isinstance(given, ConsumerSet):
            return given
        return cls(name=given.group, consumers=(given,))

    @property
    def is_joint(self) -> bool:
        """Whether there are several, which share what each alone would have for itself."""
        return len(self.consumers) > 1

    def reasons_not_ready(self) -> list[str]:
        """Why the services cannot do their work, in words."""
        asked = (self.why_not_ready, *(one.why_not_ready for one in self.consumers))
        return [reason for ask in asked if (reason := ask()) is not None]
