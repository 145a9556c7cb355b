"""Decides what follows when a handler raised. Pure: without a clock and without Redis."""

from collections.abc import Sequence

from msgspec import Struct

from consumers.runtime.consumer import Consumer
from consumers.runtime.entry import HeldEntry
from consumers.runtime.exceptions import Reject, Transient
from consumers.runtime.retry_schedule import RetrySchedule
from gateway.backoff import Backoff

__all__ = ["Bury", "PostponedEntries", "RetryPolicy", "Split", "TryLater", "of_halves"]


class TryLater(Struct, frozen=True):
    """Try again after a pause; `is_transient` if the attempt does not count.

    `is_for_all`: what is away is away for all entries.
    """

    pause_s: float
    is_transient: bool
    is_for_all: bool = False

    @property
    def outcome(self) -> str:
        """For logs and metrics."""
        return "transient" if self.is_transient else "failed"


class Bury(Struct, frozen=True):
    """Give up: a dead letter with this reason."""

    reason: str

    @property
    def outcome(self) -> str:
        """For logs and metrics."""
        return "dead"


class Split(Struct, frozen=True):
    """Try the batch again in halves, to find which of its entries cannot be handled."""

    outcome: str = "split"


class PostponedEntries(Struct, frozen=True):
    """Entries of a batch that are to be tried again after a pause; its others are settled."""

    held: Sequence[HeldEntry]
    pause_s: float


def of_halves(
    batch: Sequence[HeldEntry], first: PostponedEntries | None, second: PostponedEntries | None
) -> PostponedEntries | None:
    """What has to wait of a batch that was tried in halves."""
    halves = [half for half in (first, second) if half is not None]
    if not halves:
        return None
    middle = len(batch) // 2
    left = {id(held) for half in halves for held in half.held}
    late = {held.lane for held in first.held} if first else set()
    # Of the first half that is all: what else it had of these subjects has been handled.
    waits = [held for held in batch[:middle] if id(held) in left]
    waits += [held for held in batch[middle:] if id(held) in left or held.lane in late]
    return PostponedEntries(waits, max(half.pause_s for half in halves))


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """How often and how fast to try again, and which exceptions are transient."""

    max_attempts: int
    transient: tuple[type[Exception], ...] = ()
    backoff: Backoff = Backoff()
    retries: RetrySchedule | None = None

    @classmethod
    def of(cls, consumer: Consumer) -> "RetryPolicy":
        """What the consumer has declared."""
        return cls(
            max_attempts=consumer.max_attempts,
            transient=consumer.transient,
            backoff=consumer.backoff,
            retries=consumer.retries,
        )

    def verdict(
        self, error: BaseException, *, failures: int, delays: int, failing_s: float = 0.0
    ) -> TryLater | Bury:
        """What to do after `error`, with the counts of failures and delays before it.

        `failing_s` is how long ago the first of those failures was.

        A handler's own CancelledError (a library under it gave up) is no failed attempt.
        """
        if isinstance(error, Reject):
            return Bury("rejected")
        if self.is_transient(error):
            asked_s = error.retry_after_s if isinstance(error, Transient) else None
            pause_s = self.backoff.delay_s(delays + 1) if asked_s is None else asked_s
            for_all = isinstance(error, Transient) and error.for_all
            return TryLater(pause_s, is_transient=True, is_for_all=for_all)
        if self.retries is not None:
            if self.retries.is_over(failing_s):
                return Bury("failed")
            return TryLater(self.retries.delay_s(failures + 1), is_transient=False)
        if failures + 1 >= self.max_attempts:
            return Bury("failed")
        return TryLater(self.backoff.delay_s(failures + 1), is_transient=False)

    def is_transient(self, error: BaseException) -> bool:
        """Whether the entry is not to blame."""
        return isinstance(error, (Transient, *self.transient)) or not isinstance(error, Exception)
