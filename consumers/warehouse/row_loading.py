"""Loads rows into the tables of the warehouse, compares them and erases from them.

Everything here blocks and belongs on one thread. Loading is idempotent: rows are merged on their
key.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import structlog
from msgspec.structs import asdict
from uuid_utils import uuid7

from consumers.warehouse import event_rows
from consumers.warehouse.compacting import compact
from consumers.warehouse.database import Database
from consumers.warehouse.destination_errors import DestinationAway, RowsRefused
from consumers.warehouse.erased_rows import ErasureRow, Erasures
from consumers.warehouse.kept_states import KeptStates
from consumers.warehouse.known_erasures import KnownErasures
from consumers.warehouse.load_portions import halves, parts, shortened
from consumers.warehouse.straight_database import StraightDatabase
from consumers.warehouse.table_making import Tables
from consumers.warehouse.table_schema import COMMENT_EVENTS, ERASURES, EVENTS, Table
from gateway.contract import COMMENT_SUBJECT, EventSubject
from gateway.errors import OperatorError

__all__ = ["Warehouse"]

log = structlog.get_logger()

# 10,000 events without texts; ten times that costs a destination ten times the memory.
_MAX_BYTES: Final = 3 << 20


class Warehouse:
    """Loads the tables in a destination, compares them and erases from them.

    While the destination cannot be used, everything raises DestinationAway.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._target = database.target
        self._states = KeptStates(database) if isinstance(database, StraightDatabase) else None
        known = KnownErasures(database.work_dir, f"{database.target.label} {database.dataset}")
        self._tables = Tables(database, known, self._states)

    def prepare(self) -> None:
        """Make the tables, or bring older ones up to this version. Idempotent.

        Raises NewerTables.
        """
        with self._database.session():
            self._tables.ensure()

    def load(self, comments: pa.Table, others: pa.Table | None = None) -> int:
        """Merge rows into `comment_events` and `events`; when it returns, they are committed.

        Events that were erased on request stay away; returns how many rows were loaded. Raises
        Unfit for the first row that the destination cannot take; those before it are loaded.
        """
        if others is not None and _fit_together(comments, others):
            with suppress(RowsRefused):  # which of them, is found out below
                return self._merge((COMMENT_EVENTS, comments), (EVENTS, others))
        return sum(
            self._load(part, into)
            for into, events in ((COMMENT_EVENTS, comments), (EVENTS, others))
            if events is not None
            for part in parts(events, _MAX_BYTES)
        )

    def refresh(self) -> bool:
        """Make some of the states of comments anew, if that is due; whether there is more to do.

        A moment's work, of which nothing but the speed of the view depends.
        """
        return self._states is not None and self._states.refresh()

    def absent(self, event_ids: Collection[str], earliest: datetime, latest: datetime) -> set[str]:
        """Which of these events, all received between the two moments, are not in the warehouse."""
        missing = set(event_ids)
        with self._database.session():
            self._tables.ensure()
            for table in (COMMENT_EVENTS, EVENTS):
                found = self._database.ask(
                    f"SELECT event_id FROM {{{table.name}}} "  # noqa: S608 - a name of ours
                    "WHERE received_at BETWEEN %s AND %s",
                    earliest,
                    latest,
                )
                missing.difference_update(event_id for (event_id,) in found)
        return missing

    def portals_of(self, comment_id: int) -> list[str]:
        """The portals that have a comment of this id."""
        with self._database.session():
            self._tables.ensure()
            return [
                member_id
                for (member_id,) in self._database.ask(
                    "SELECT DISTINCT member_id FROM {comment_events} WHERE comment_id = %s "
                    "ORDER BY member_id",
                    comment_id,
                )
            ]

    def erasures(self) -> frozenset[ErasureRow]:
        """What has been erased on request."""
        with self._database.session():
            self._tables.ensure()
            return self._tables.erasures()

    def erase(self, member_id: str, about: EventSubject | None, now: datetime) -> int:
        """Delete all rows of a portal, or about one subject of it; returns how many there were.

        What was received until `now` is not loaded again either, by a replay or a backfill. Raises
        OperatorError where the destination cannot delete.
        """
        if not self._target.is_database:
            raise OperatorError(
                f"[warehouse] {self._target.label}: rows in files cannot be erased from here; see "
                "docs/warehouse.md"
            )
        with self._database.session():
            self._tables.ensure()
            count = self._count(member_id, about)
            erasure_id = str(uuid7())
            row = ErasureRow.of(member_id, about, erasure_id=erasure_id, now=now, rows=count)
            # The record first: a load that is under way looks for it after it has committed.
            self._database.merge(ERASURES, event_rows.rows(ERASURES, [asdict(row)]))
            self._tables.erasures()
            self._delete(member_id, about, before=now)
            if self._target.database:
                self._database.execute("CHECKPOINT")  # else the write-ahead log still has the rows
        return count

    def compact(self) -> None:
        """Leave nothing of deleted rows in the file or the tables, as `compact` does."""
        compact(self._database)

    def close(self) -> None:
        """Leave nothing of this process in the destination."""
        self._database.close()

    def _count(self, member_id: str, about: EventSubject | None) -> int:
        """How many rows an erasure is about."""
        return sum(
            int(row[0])
            for table, where, values in _concerned(member_id, about)
            for row in self._database.ask(
                f"SELECT COUNT(*) FROM {{{table.name}}} WHERE {where}",  # noqa: S608
                *values,
            )
        )

    def _load(self, events: pa.Table, into: Table) -> int:
        """Load rows in one session, or, where they are refused, in halves until one is alone."""
        try:
            return self._merge((into, events))
        except RowsRefused as refused:
            if events.num_rows > 1:
                return sum(self._load(half, into) for half in halves(events))
            return self._load_alone(events, into, refused)

    def _load_alone(self, row: pa.Table, into: Table, refused: RowsRefused) -> int:
        """Load a row that was refused, with its texts cut.

        Raises Unfit, or DestinationAway if it is short.
        """
        event_id = row["event_id"][0].as_py()
        cut = shortened(row)
        if cut is not None:
            try:
                count = self._merge((into, cut))
            except RowsRefused as again:
                refused = again
            else:
                log.warning("text was cut", event_id=event_id, error=str(refused))
                return count
        if refused.for_memory:
            # Not this row's fault: the destination is short of memory whatever it gets.
            raise DestinationAway(str(refused)) from refused
        raise event_rows.Unfit(event_id, str(refused)) from refused

    def _merge(self, *loads: tuple[Table, pa.Table]) -> int:
        count = 0
        # A session of its own: DuckDB gives the memory of a merge back when the file is closed.
        with self._database.session():
            self._tables.ensure()
            erasures = self._tables.erasures()
            for into, events in loads:
                kept = Erasures(erasures).without(events)
                if kept.num_rows:
                    self._database.merge(into, kept)
                    count += int(kept.num_rows)
            # An erasure that came between the two questions has deleted before we loaded.
            for erasure in self._tables.erasures() - erasures:
                self._delete(erasure.member_id, erasure.about, before=erasure.erased_at)
        return count

    def _delete(self, member_id: str, about: EventSubject | None, *, before: datetime) -> None:
        for table, where, values in _concerned(member_id, about):
            if table is COMMENT_EVENTS and self._states is not None:
                self._states.erase(where, *values, before=before)
                continue
            self._database.execute(
                f"DELETE FROM {{{table.name}}} WHERE {where} AND received_at <= %s",  # noqa: S608
                *values,
                before,
            )


def _fit_together(comments: pa.Table, others: pa.Table) -> bool:
    """Whether both are loaded in one session, which is half of what a small load costs."""
    is_both = comments.num_rows > 0 and others.num_rows > 0
    return bool(is_both and comments.nbytes + others.nbytes <= _MAX_BYTES)


def _concerned(
    member_id: str, about: EventSubject | None
) -> Iterator[tuple[Table, str, tuple[Any, ...]]]:
    """The tables that an erasure is about, and which rows of each."""
    if about is None:
        for table in (COMMENT_EVENTS, EVENTS):
            yield table, "member_id = %s", (member_id,)
    elif about.kind == COMMENT_SUBJECT:
        yield COMMENT_EVENTS, "member_id = %s AND comment_id = %s", (member_id, about.id)
    else:
        where = "member_id = %s AND subject_kind = %s AND subject_id = %s"
        yield EVENTS, where, (member_id, about.kind, str(about.id))
