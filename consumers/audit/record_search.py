"""Finds records of events in a log."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct

from consumers.audit.day_files import chains, day_files, open_lines
from consumers.audit.records import EventRecord, decode
from gateway.contract import timestamps

__all__ = ["Hit", "RecordQuery", "search"]

_EVENT = b'{"kind":"event",'


class RecordQuery(Struct, frozen=True, kw_only=True):
    """Which records: of one event or of one portal, recorded at `since` or later, before `until`.

    Times are aware. What is None does not matter.
    """

    event_id: str | None = None
    member_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Attributes(Struct, frozen=True):
    """What a list of records shows of an event."""

    id: str
    source: str
    type: str
    subject: str = ""


class Hit(Struct, frozen=True, kw_only=True):
    """A record, and where it stands. `line` is the exact line, without its end."""

    chain: str
    file: str
    number: int
    line: bytes
    record: EventRecord
    event: Attributes


def search(directory: Path, wanted: RecordQuery) -> Iterator[Hit]:
    """The records of a log, chain by chain and in the order of each.

    Their hashes are not looked at: that is what a verification is for.
    """
    needles = [text.encode() for text in (wanted.event_id, wanted.member_id) if text]
    for chain in chains(directory):
        for file in day_files(chain):
            if not _may_hold(file.day, wanted):
                continue
            with open_lines(file) as lines:
                for number, line in enumerate(lines, 1):
                    if not line.startswith(_EVENT) or not line.endswith(b"\n"):
                        continue
                    if not all(needle in line for needle in needles):
                        continue
                    record = decode(line)
                    assert isinstance(record, EventRecord)  # noqa: S101 - its kind says so
                    event = msgspec.json.decode(record.event, type=Attributes)
                    if _is_wanted(record, event, wanted):
                        yield Hit(
                            chain=chain.name,
                            file=file.name,
                            number=number,
                            line=line[:-1],
                            record=record,
                            event=event,
                        )


def _may_hold(day: str, wanted: RecordQuery) -> bool:
    """Whether a file of this day can hold such records; a day is room for a clock set back."""
    if wanted.since is not None and day < wanted.since.date().isoformat():
        return False
    return wanted.until is None or day <= (wanted.until + timedelta(days=1)).date().isoformat()


def _is_wanted(record: EventRecord, event: Attributes, wanted: RecordQuery) -> bool:
    recorded_at = timestamps.moment_of(record.recorded_at)
    return (
        (wanted.event_id is None or event.id == wanted.event_id)
        and (wanted.member_id is None or event.source.endswith(f":{wanted.member_id}"))
        and (wanted.since is None or recorded_at >= wanted.since)
        and (wanted.until is None or recorded_at < wanted.until)
    )
