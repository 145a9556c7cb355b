"""Sends what was quarantined the way of a delivery again, once its token is registered."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from msgspec import Struct

from gateway.contract import AppEvent, CommentEvent, EntityEvent, Streams, encode_event
from gateway.inbound.admission import Admission, Admitted, Ignored
from gateway.inbound.errors import Forbidden, Malformed
from gateway.inbound.form import FormError
from gateway.inbound.form_fields import extract
from gateway.portals.quarantine import Quarantine, Sealed, opened
from gateway.publishing.spool.batch_file import SpooledBatch
from gateway.publishing.spool.carrying import carry
from gateway.publishing.stream_writer import NumberedBatch, StreamWriter
from gateway.vault.encryption import Unreadable, Vault

__all__ = ["Readmission", "Remaining", "claim_of", "readmit"]


class Remaining(Struct, frozen=True):
    """Why deliveries with one token stay in the quarantine."""

    digest: bytes
    reason: str


class Readmission(Struct, frozen=True):
    """What became of deliveries: the ids of the events that were published, and what remains."""

    event_ids: tuple[str, ...]
    remaining: dict[Remaining, int]


async def readmit(
    deliveries: Sequence[Sealed],
    *,
    quarantine: Quarantine,
    vault: Vault,
    admission: Admission,
    streams: Streams,
    writer_of: Callable[[int], StreamWriter],
    deadline_s: float,
) -> Readmission:
    """Publish, in the order of receipt, what the portals' present tokens admit; the rest stays.

    An event keeps its receipt id and its time of receipt. It is published as the only batch of a
    producer named after the receipt id, and leaves the quarantine when it is on its stream. So it
    may be admitted twice, or by two people at once, or the process may die at any point: it is
    published once. (What is kept expires before Redis forgets the producer.)

    Raises StreamUnavailable, one of connections.FAILURES where Redis does not do its
    part, TimeoutError when an event takes longer than `deadline_s`; what has been published until
    then has left the quarantine.
    """
    event_ids: list[str] = []
    remaining: Counter[Remaining] = Counter()
    writers: dict[int, StreamWriter] = {}

    async def write(partition: int, batches: Sequence[SpooledBatch]) -> Sequence[bytes | None]:
        if partition not in writers:
            writers[partition] = writer_of(partition)
        return await writers[partition].write_all(
            [
                NumberedBatch(streams.producer(partition, one.producer), one.sequence, one.events)
                for one in batches
            ]
        )

    try:
        for kept in deliveries:
            verdict = _verdict(kept, vault, admission)
            if not isinstance(verdict, Admitted):
                remaining[Remaining(kept.digest, verdict)] += 1
                continue
            # From the first layout on: it may have been admitted before the number changed.
            home = streams.homes_of(verdict.member_id, verdict.subject)[0]
            event = encode_event(verdict.event)
            async with asyncio.timeout(deadline_s):
                await carry([SpooledBatch(home, kept.receipt_id, 1, [event])], streams, write)
            await quarantine.remove([kept])
            event_ids.append(kept.receipt_id)
    finally:
        for writer in writers.values():
            await writer.close()
    return Readmission(tuple(event_ids), dict(remaining))


def claim_of(
    kept: Sealed, vault: Vault, admission: Admission
) -> CommentEvent | AppEvent | EntityEvent | None:
    """The event that a delivery would be were its token right; None if it cannot be read."""
    portal = admission.portals.find(kept.member_id)
    if portal is None:
        return None
    try:
        delivery = opened(kept, vault)
        verdict = admission.normalise(
            extract(delivery.body),
            portal,
            receipt_id=delivery.receipt_id,
            received_ms=delivery.received_ms,
        )
    except (Unreadable, Malformed, FormError):
        return None
    return verdict.event if isinstance(verdict, Admitted) else None


def _verdict(kept: Sealed, vault: Vault, admission: Admission) -> Admitted | str:
    """The event of a delivery, or why there is none."""
    try:
        delivery = opened(kept, vault)
        verdict = admission.admit(
            extract(delivery.body),
            receipt_id=delivery.receipt_id,
            received_ms=delivery.received_ms,
        )
    except Unreadable:
        return "unreadable"
    except (Forbidden, Malformed, FormError) as error:
        return error.reason
    return verdict.reason if isinstance(verdict, Ignored) else verdict
