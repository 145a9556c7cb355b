"""Puts batches on the streams that were meant for a partition which may be a former one by now.

Nobody knows of a batch without an answer whether it is on its stream, so it is sent there first.
Of a former partition Redis says, for good, either that it has the batch or that it will not take
it. What it will not take goes to the partitions of the next layout, under the producer and the
number that it has; a repetition is recognised there in the same way, and so on up to the layout in
force. So batches may be carried again after a crash at any point, by whomever.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from gateway.contract import EventSubject, Streams
from gateway.publishing.errors import StreamUnavailable
from gateway.publishing.spool.batch_file import SpooledBatch

__all__ = ["carry"]

_SOURCE: Final = "urn:bitrix24:"


class _Owned(Struct):
    source: str
    subject: str


_owned = msgspec.json.Decoder(_Owned).decode

Write = Callable[[int, Sequence[SpooledBatch]], Awaitable[Sequence[bytes | None]]]
"""Writes batches to a partition, and returns None for each that this does not take since it is a
former one; raises StreamUnavailable."""


async def carry(batches: Sequence[SpooledBatch], streams: Streams, write: Write) -> None:
    """Write batches of one partition, in their order, there or where their events belong by now.

    Idempotent. Raises StreamUnavailable, and then it is to be repeated; `sealed` if the number of
    partitions changes right now.
    """
    layouts = streams.layouts
    partition = batches[0].partition
    known = [at for at, layout in enumerate(layouts) if partition in layout]
    numbered = dict(enumerate(batches))
    # One of no layout that this installation has had cannot be on one of its streams.
    places = {partition: numbered} if known else _spread(numbered.items(), layouts[-1])
    for layout in [*layouts[known[0] + 1 if known else len(layouts) :], None]:
        left: list[tuple[int, SpooledBatch]] = []
        for place, some in places.items():
            taken = await write(place, list(some.values()))
            left += [one for one, ids in zip(some.items(), taken, strict=True) if ids is None]
        if not left:
            return
        if layout is None:
            raise StreamUnavailable("sealed", "the number of partitions changes right now")
        places = _spread(left, layout)


def _spread(
    numbered: Iterable[tuple[int, SpooledBatch]], layout: range
) -> dict[int, dict[int, SpooledBatch]]:
    """The parts of batches by the partition that they belong to; what several parts of a batch have
    for one partition is one batch there, for Redis knows it by its number alone.
    """
    places: dict[int, dict[int, SpooledBatch]] = {}
    for number, batch in sorted(numbered, key=lambda one: one[0]):
        for event in batch.events:
            parts = places.setdefault(_partition_of(event, layout), {})
            part = parts.get(number)
            if part is None:
                parts[number] = part = SpooledBatch(0, batch.producer, batch.sequence, [])
            part.events.append(event)
    return places


def _partition_of(event: bytes, layout: range) -> int:
    owned = _owned(event)
    subject = EventSubject.parse(owned.subject)
    return Streams.partition_in(layout, owned.source.removeprefix(_SOURCE), subject)
