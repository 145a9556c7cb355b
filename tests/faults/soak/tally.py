"""What became of each event: lost, twice, and in which order, at every place that it goes to."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from consumers.audit.chain_verification import verify_chain
from consumers.audit.day_files import chains, day_files, open_lines
from gateway.drill.delivery_load import LoadDelivery
from gateway.drill.fault_ledger import FaultAccount, StoredEvent, account_of
from tests.faults.soak.feed_reader import FeedReader
from tests.faults.soak.tap import Tap
from tests.faults.soak.world import STREAMS, World

__all__ = ["Place", "Tally", "tally_of"]

_TOLD: Final = 5
"""Of how many dead letters, and of how many events that people were told of twice, it says more."""


class Place(Struct, frozen=True, kw_only=True):
    """What one consumer has done with the events that are on the stream.

    `handled` of them it has dealt with, `lost` it has not. `recognised` counts effects that came
    again and that the event's id tells to be the same, `doubled` those that it does not tell.
    `out_of_order` counts events that came behind a later one of their comment; None where effects
    have no order.
    """

    handled: int
    lost: int
    doubled: int
    recognised: int
    out_of_order: int | None


class Tally(Struct, frozen=True, kw_only=True):
    """Everything that was counted; `gone` and `stream_doubled` are for each of the two streams."""

    account: FaultAccount
    gone: dict[str, int]
    stream_doubled: dict[str, int]
    places: dict[str, Place]
    dead_letters: int
    undecodable: dict[str, int]
    audit_faults: list[str]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is lost, twice beyond what is recognised, or out of its order."""
        return not (
            self.account.lost
            or self.account.out_of_order
            or self.dead_letters
            or self.audit_faults
            or any(self.stream_doubled.values())
            or any(one.lost or one.doubled or one.out_of_order for one in self.places.values())
        )


async def tally_of(
    world: World, redis: Redis, tap: Tap, reader: FeedReader, deliveries: Sequence[LoadDelivery]
) -> Tally:
    """Count, now that everything has come to its end."""
    stored = _Stored(tap.kept("events"))
    dead, undecodable = await _dead_letters(world, redis)
    return Tally(
        account=account_of(deliveries, tap.kept("events")),
        gone={stream: tap.gone(stream) for stream in ("events", "comments")},
        stream_doubled={stream: tap.doubled(stream) for stream in ("events", "comments")},
        places=_places(world, tap, reader, stored),
        dead_letters=dead,
        undecodable=undecodable,
        audit_faults=[
            f"{report.chain}: {report.fault}"
            for report in map(verify_chain, chains(world.audit_dir))
            if report.fault is not None
        ],
    )


class _Stored:
    """The events that are on their stream, and their order."""

    def __init__(self, partitions: Iterable[Sequence[StoredEvent]]) -> None:
        self.comments: dict[str, int] = {}
        self._places: dict[str, int] = {}
        self._of_comment: dict[int, list[str]] = {}
        for entries in partitions:
            for entry in entries:
                self._places[entry.event_id] = len(self._places)
                self.comments[entry.event_id] = entry.comment_id
                self._of_comment.setdefault(entry.comment_id, []).append(entry.event_id)

    def told_by(self, last: str, count: int) -> list[str]:
        """The events of one comment that a notice is about: the last one, and how many."""
        if last not in self.comments:
            return [last]
        ids = self._of_comment[self.comments[last]]
        end = ids.index(last) + 1
        return ids[max(0, end - count) : end]

    def place(
        self, ids: Iterable[str], *, doubled: int = 0, recognised: int = 0, is_ordered: bool = True
    ) -> Place:
        """Judge a place where these came; of those that came again the first counts."""
        first = dict.fromkeys(ids)
        return Place(
            handled=len(first.keys() & self._places.keys()),
            lost=len(self._places.keys() - first.keys()),
            doubled=doubled,
            recognised=recognised,
            out_of_order=self._out_of_order(first) if is_ordered else None,
        )

    def _out_of_order(self, ids: Iterable[str]) -> int:
        furthest: dict[int, int] = {}
        count = 0
        for event_id in ids:
            place = self._places.get(event_id)
            if place is None:
                continue
            comment = self.comments[event_id]
            count += place < furthest.get(comment, -1)
            furthest[comment] = max(place, furthest.get(comment, -1))
        return count


def _places(world: World, tap: Tap, reader: FeedReader, stored: _Stored) -> dict[str, Place]:
    comments = [entry.event_id for entries in tap.kept("comments") for entry in entries]
    rows, doubled_rows = _warehouse(world)
    audit = _logged(world)
    audit_ids = [event_id for event_id, _entry in audit]
    effects = [line.split()[0] for line in _lines(world.effects)]
    pushed = [one.id for one in world.pushed_to.taken]
    notes = dict.fromkeys(_lines(world.notes))
    noted = [line.split()[0] for line in notes]
    return {
        "service": stored.place(effects, recognised=_again(effects)),
        "audit": stored.place(
            audit_ids,
            doubled=_again(audit),
            recognised=_again(audit_ids) - _again(audit),
        ),
        "enricher": stored.place(comments, doubled=tap.doubled("comments")),
        "warehouse": stored.place(rows, doubled=doubled_rows, is_ordered=False),
        "notifier": _notified(world, stored),
        "relay": stored.place(pushed, recognised=_again(pushed)),
        "feed": stored.place(reader.ids, recognised=_again(reader.ids)),
        "witness": stored.place(noted, recognised=_again(noted)),
    }


def _again(found: Sequence[Any]) -> int:
    return len(found) - len(set(found))


def _notified(world: World, stored: _Stored) -> Place:
    """Those that wait together are told of together, by the last of them, with their number."""
    received = world.notified.received
    once = {one.key: one for one in received}
    titles: defaultdict[str, list[str]] = defaultdict(list)
    told = []
    for one in once.values():
        last, count = one.body["title"].split()
        about = stored.told_by(last, int(count))
        for event_id in about:
            titles[event_id].append(one.body["title"])
        told += about
    for event_id, found in [one for one in titles.items() if len(one[1]) > 1][:_TOLD]:
        print(f"people were told of {event_id} by {found}")
    return stored.place(told, doubled=_again(told), recognised=len(received) - len(once))


def _lines(path: Path) -> list[str]:
    """The whole lines of a file; one that a kill cut off is none."""
    whole, _, _cut = path.read_text().rpartition("\n")
    return [line for line in whole.splitlines() if line]


def _warehouse(world: World) -> tuple[Collection[str], int]:
    """The events that are in the tables, or were in those that went; and rows there twice."""
    rows: Counter[str] = Counter()
    doubled = 0
    found = world.ask(
        "SELECT table_schema FROM information_schema.tables WHERE table_name = "
        "'comment_events' AND table_schema NOT LIKE '%staging'"
    )
    for (schema,) in found:
        ids = Counter(
            event_id for (event_id,) in world.ask(f'SELECT event_id FROM "{schema}".comment_events')
        )
        doubled += sum(ids.values()) - len(ids)
        rows.update(ids.keys())
    return rows.keys(), doubled


def _logged(world: World) -> list[tuple[str, str]]:
    """The event and the entry of each record, of each partition in its order."""
    found = []
    for chain in chains(world.audit_dir):
        for file in day_files(chain):
            with open_lines(file) as lines:
                for line in lines:
                    record = msgspec.json.decode(line)
                    if record["kind"] == "event":
                        found.append((record["event"]["id"], f"{chain}/{record['entry']}"))
    return found


async def _dead_letters(world: World, redis: Redis) -> tuple[int, dict[str, int]]:
    """Letters about events, and how many of each group are about what is none."""
    about_events = 0
    undecodable: Counter[str] = Counter()
    for group in world.groups():
        for partition in range(STREAMS.partitions):
            letters: Any = await redis.xrange(STREAMS.dead(group, partition))
            for _id, fields in letters:
                if fields[b"reason"] == b"undecodable":
                    undecodable[group] += 1
                else:
                    about_events += 1
                    if about_events <= _TOLD:
                        print({name: value[:300] for name, value in fields.items()})
    return about_events, dict(undecodable)
