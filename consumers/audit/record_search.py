"""Finds records of events in a log."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from msgspec import Struct

from consumers.audit.day_files import DayFile, chains, day_files, open_lines
from consumers.audit.line_search import first_line, lines_from
from consumers.audit.records import EventRecord, InvalidRecord, decode
from gateway.contract import is_of_type, moment_in, timestamps

__all__ = ["Hit", "RecordQuery", "search"]

_EVENT = b'{"kind":"event",'
_CLOCKS_DIFFER: Final = timedelta(minutes=10)
_SOON: Final = timedelta(minutes=10)
"""How long after its receipt an event is recorded, if neither the receiver nor the log waited."""


class RecordQuery(Struct, frozen=True, kw_only=True):
    """Which records: of one event, portal, subject or type, recorded from `since` to `until`.

    Times are aware; that of `until` is out. `type` is a pattern, which may leave out `bitrix24.`.
    What is None does not matter.
    """

    event_id: str | None = None
    member_id: str | None = None
    type: str | None = None
    subject: str | None = None
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

    One event is looked for at the time in its id, and elsewhere only if it is not there. The hashes
    of records are not looked at: that is what a verification is for.
    """
    received_at = moment_in(wanted.event_id) if wanted.event_id else None
    if received_at is not None:
        near = tuple(_near(directory, wanted, received_at))
        if near:
            yield from near
            return
    for chain in chains(directory):
        for file in day_files(chain):
            if _may_hold(file.day, wanted):
                with open_lines(file) as lines:
                    yield from _hits(chain.name, file, enumerate(lines, 1), wanted)


def _near(directory: Path, wanted: RecordQuery, received_at: datetime) -> Iterator[Hit]:
    """The records that were made not long after a moment: by its time, a file is halved to it."""
    since, until = received_at - _CLOCKS_DIFFER, received_at + _SOON
    days = since.date().isoformat(), until.date().isoformat()
    for chain in chains(directory):
        for file in day_files(chain):
            if days[0] <= file.day <= days[1]:
                yield from _hits(chain.name, file, _recorded(file, since, until), wanted)


def _recorded(file: DayFile, since: datetime, until: datetime) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that were recorded in that time, with their numbers from 1.

    A compressed file is read from its beginning, for nobody knows where a time is in it.
    """
    if file.is_compressed:
        with open_lines(file) as lines:
            yield from enumerate(lines, 1)
        return
    try:
        opened = file.path.open("rb")
    except FileNotFoundError:  # compressed since it was listed
        with open_lines(file) as lines:
            yield from enumerate(lines, 1)
        return
    with opened:
        try:
            begin = first_line(opened, lambda line: _recorded_at(line) < since)
            end = first_line(opened, lambda line: _recorded_at(line) < until)
            number = _number_at(opened, begin)
        except InvalidRecord:  # damaged: whoever looks for it finds it line by line
            return
        yield from enumerate(lines_from(opened, begin, end), number)


def _recorded_at(line: bytes) -> datetime:
    return timestamps.moment_of(decode(line).recorded_at)


def _number_at(file: BinaryIO, place: int) -> int:
    """The number of the line that begins at a place: each line is one record, numbered in turn."""
    file.seek(0)
    first = file.readline()
    file.seek(place)
    line = file.readline()
    return decode(line).seq - decode(first).seq + 1 if line else 1


def _hits(
    chain: str, file: DayFile, lines: Iterable[tuple[int, bytes]], wanted: RecordQuery
) -> Iterator[Hit]:
    needles = [
        text.encode() for text in (wanted.event_id, wanted.member_id, wanted.subject) if text
    ]
    for number, line in lines:
        if not line.startswith(_EVENT) or not line.endswith(b"\n"):
            continue
        if not all(needle in line for needle in needles):
            continue
        record = decode(line)
        assert isinstance(record, EventRecord)  # noqa: S101 - its kind says so
        event = msgspec.json.decode(record.event, type=Attributes)
        if _is_wanted(record, event, wanted):
            yield Hit(
                chain=chain,
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
        and (wanted.type is None or is_of_type(event.type, wanted.type))
        and wanted.subject in (None, event.subject)
        and (wanted.since is None or recorded_at >= wanted.since)
        and (wanted.until is None or recorded_at < wanted.until)
    )
