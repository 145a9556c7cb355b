"""What became of everything that was sent, counted at the end."""

from collections import Counter, defaultdict
from collections.abc import Collection
from typing import Any

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from consumers.audit.chain_verification import verify_chain
from consumers.audit.day_files import chains, day_files, open_lines
from tests.faults.soak.world import GROUP, STREAMS, World

__all__ = ["Tally", "tally_of"]


class Tally(Struct, frozen=True, kw_only=True):
    """For each place how many of the events are missing there, and how many are there twice.

    A service's effects may come twice after a kill; what is written to `comments`, to the audit
    log and to the warehouse may not. `dead_letters` are those of events, `undecodable` those of
    hostile entries, for each group.
    """

    lost: dict[str, int]
    doubled: dict[str, int]
    dead_letters: int
    undecodable: dict[str, int]
    audit_faults: list[str]


async def tally_of(
    world: World, redis: Redis, sent: Collection[str], repeated: Collection[str]
) -> Tally:
    """Count. `repeated` were perhaps stored twice by whoever sent them, and may be anywhere."""
    effects = Counter(line.split()[0] for line in _lines(world.effects))
    outputs: defaultdict[str, set[str]] = defaultdict(set)
    for line in _lines(world.notes):
        event_id, entry = line.split()
        outputs[event_id].add(entry)
    comments = Counter({event_id: len(entries) for event_id, entries in outputs.items()})
    rows, doubled_rows = _warehouse(world)
    audit = Counter(_logged(world))
    found = {GROUP: effects, "comments": comments, "warehouse": rows, "audit": audit}
    doubled = {name: _doubled(counts, repeated) for name, counts in found.items()}
    dead, undecodable = await _dead_letters(redis)
    return Tally(
        lost={name: len(set(sent) - counts.keys()) for name, counts in found.items()},
        doubled=doubled | {"warehouse": doubled_rows},
        dead_letters=dead,
        undecodable=undecodable,
        audit_faults=[
            f"{report.chain}: {report.fault}"
            for report in map(verify_chain, chains(world.audit_dir))
            if report.fault is not None
        ],
    )


def _lines(path: Any) -> list[str]:
    """The whole lines of a file; one that a kill cut off is none."""
    whole, _, _cut = path.read_text().rpartition("\n")
    return [line for line in whole.splitlines() if line]


def _doubled(counts: Counter[str], repeated: Collection[str]) -> int:
    return sum(count - 1 for event_id, count in counts.items() if event_id not in repeated)


def _warehouse(world: World) -> tuple[Counter[str], int]:
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
    return rows, doubled


def _logged(world: World) -> list[str]:
    ids = []
    for chain in chains(world.audit_dir):
        for file in day_files(chain):
            with open_lines(file) as lines:
                for line in lines:
                    record = msgspec.json.decode(line)
                    if record["kind"] == "event":
                        ids.append(record["event"]["id"])
    return ids


async def _dead_letters(redis: Redis) -> tuple[int, dict[str, int]]:
    """Letters about events, and how many of each group are about what is none."""
    about_events = 0
    undecodable: Counter[str] = Counter()
    for group in (GROUP, "audit", "enricher", "warehouse", "witness"):
        for partition in range(STREAMS.partitions):
            letters: Any = await redis.xrange(STREAMS.dead(group, partition))
            for _id, fields in letters:
                if fields[b"reason"] == b"undecodable":
                    undecodable[group] += 1
                else:
                    about_events += 1
                    print({name: value[:300] for name, value in fields.items()})
    return about_events, dict(undecodable)
