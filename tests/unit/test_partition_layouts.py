"""Which partitions there are after the number of them was changed, and what goes where."""

from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract import EventSubject, Streams
from gateway.contract.events import source_of
from gateway.publishing.errors import StreamUnavailable
from gateway.publishing.spool.batch_file import SpooledBatch
from gateway.publishing.spool.carrying import carry

COUNTS = st.lists(st.integers(1, 9), min_size=1, max_size=5)


def streams_of(*counts: int) -> Streams:
    streams = Streams()
    streams.adopt(counts)
    return streams


def test_a_new_layout_has_numbers_that_there_were_not_before() -> None:
    streams = streams_of(1, 4, 2)

    assert streams.layouts == [range(1), range(1, 5), range(5, 7)]
    assert (streams.partitions, streams.in_force, streams.numbers) == (2, range(5, 7), range(7))
    assert [streams.is_former(one) for one in range(7)] == [True] * 5 + [False] * 2
    assert streams.keys("events")[-1] == "b24:events:{6}"


@given(counts=COUNTS, number=st.integers(1, 10**6))
def test_a_subject_has_one_partition_in_each_layout(counts: list[int], number: int) -> None:
    streams, subject = streams_of(*counts), EventSubject.of_comment(number)

    homes = streams.homes_of("portal", subject)

    assert all(home in layout for home, layout in zip(homes, streams.layouts, strict=True))
    assert homes[-1] == streams.partition_of("portal", subject)


def test_a_subject_stays_where_it_was_in_an_installation_of_one_layout() -> None:
    """What is on the streams of an installation that was made before there were layouts."""
    streams = streams_of(4)

    homes = [streams.partition_of("portal", EventSubject.of_comment(one)) for one in range(1, 7)]

    assert homes == [1, 3, 1, 2, 0, 2]


class Server:
    """Redis as a batch sees it: former partitions take nothing new, and each knows what it has."""

    def __init__(self, streams: Streams, *, ends_after: int = 10**9) -> None:
        self.events: dict[int, list[bytes]] = {}
        self.streams = streams
        self._last: dict[tuple[int, str], int] = {}
        self._ends_after = ends_after

    async def write(
        self, partition: int, batches: Sequence[SpooledBatch]
    ) -> Sequence[bytes | None]:
        self._ends_after -= 1
        if self._ends_after < 0:
            raise StreamUnavailable("away", "")
        return [self._taken(partition, batch) for batch in batches]

    def go_on(self) -> None:
        self._ends_after = 10**9

    def _taken(self, partition: int, batch: SpooledBatch) -> bytes | None:
        last = self._last.get((partition, batch.producer), 0)
        if batch.sequence <= last:
            return b"1-1"
        if self.streams.is_former(partition):
            return None
        self._last[partition, batch.producer] = batch.sequence
        self.events.setdefault(partition, []).extend(batch.events)
        return b"1-1"


def event(comment_id: int, number: int) -> bytes:
    return (
        f'{{"id":"{number}","source":"{source_of("portal")}","subject":"comment/{comment_id}"}}'
    ).encode()


def batches_of(partition: int, count: int) -> list[SpooledBatch]:
    """Three events each, about nine comments in turn."""
    numbers = iter(range(3 * count))
    return [
        SpooledBatch(partition, "p", one, [event(n % 9, n) for n in (next(numbers) for _ in "abc")])
        for one in range(1, count + 1)
    ]


async def test_what_a_former_partition_has_is_not_published_again() -> None:
    streams, before = streams_of(1, 3), streams_of(1)
    server = Server(before)
    batches = batches_of(0, 4)
    await server.write(0, batches[:2])
    server.streams = streams

    await carry(batches, streams, server.write)

    events = [one for some in server.events.values() for one in some]
    assert sorted(events) == sorted(one for batch in batches for one in batch.events)
    assert server.events[0] == [one for batch in batches[:2] for one in batch.events]


@pytest.mark.parametrize("ends_after", range(8))
async def test_a_batch_that_was_carried_half_is_carried_on_over_another_change(
    ends_after: int,
) -> None:
    first, second = streams_of(1, 3), streams_of(1, 3, 5)
    server, batches = Server(first, ends_after=ends_after), batches_of(0, 3)
    with suppress(StreamUnavailable):
        await carry(batches, first, server.write)
    server.go_on()
    server.streams = second

    await carry(batches, second, server.write)
    await carry(batches, second, server.write)

    events = [one for some in server.events.values() for one in some]
    assert sorted(events) == sorted(one for batch in batches for one in batch.events)
    for number, comment in enumerate(range(9)):
        subject = EventSubject.of_comment(comment)
        own = [
            one
            for home in second.homes_of("portal", subject)
            for one in server.events.get(home, [])
            if b'"subject":"comment/%d"' % number in one
        ]
        assert own == [event(comment, comment)]


async def test_a_batch_waits_while_the_number_changes() -> None:
    streams = streams_of(1, 2)
    server = Server(streams_of(1, 2, 1))

    with pytest.raises(StreamUnavailable, match="sealed"):
        await carry(batches_of(0, 1), streams, server.write)

    assert not server.events
