"""Logs how an attempt failed, in one wide line."""

from collections.abc import Sequence

import structlog

from consumers.runtime.entry import HeldEntry
from consumers.runtime.exceptions import Transient
from consumers.runtime.redaction import describe
from consumers.runtime.retry_policy import Bury, Split, TryLater
from consumers.runtime.tracebacks import traceback_of

__all__ = ["tell_failure"]

log = structlog.get_logger()


def tell_failure(
    group: str,
    batch: Sequence[HeldEntry],
    error: BaseException,
    verdict: TryLater | Bury | Split,
    *,
    is_meant: bool,
    took_s: float,
) -> None:
    """One line for each failed attempt; of a batch it names the first entry.

    The first attempt's says where it was raised, unless the handler meant to raise it (`is_meant`).
    """
    first = batch[0].entry
    is_told = isinstance(error, Transient) and error.is_told
    tell = log.debug if is_told else log.warning
    where = "" if is_meant or first.attempt > 1 else traceback_of(error)
    tell(
        "attempt failed",
        group=group,
        stream=first.stream,
        partition=first.partition,
        entry_id=first.id,
        event_id=first.event.id,
        type=first.event.type,
        entries=len(batch),
        attempt=first.attempt,
        deliveries=first.deliveries,
        is_replay=first.is_replay,
        outcome=verdict.outcome,
        error=describe(error),
        took_ms=round(took_s * 1000, 1),
        retry_in_s=round(verdict.pause_s, 2) if isinstance(verdict, TryLater) else None,
        **({"exception": where} if where else {}),
    )
