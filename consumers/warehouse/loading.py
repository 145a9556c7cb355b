"""The warehouse itself: making its tables, loading into them, comparing and erasing.

Everything here blocks and belongs on one thread. Loading is idempotent: rows are merged on their
key.
"""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import structlog
from uuid_utils import uuid7

from consumers.warehouse import comments, rows
from consumers.warehouse.database import Database
from consumers.warehouse.schema import COMMENT_EVENTS, ERASURES, TABLES, VERSION, VERSIONS
from gateway.contract import CommentEvent
from gateway.errors import OperatorError

__all__ = ["Erasure", "NewerTables", "Warehouse", "is_erased"]

log = structlog.get_logger()

# (member_id, comment_id or None for all, erased_at)
Erasure = tuple[str, int | None, datetime]
# 10,000 events without texts; ten times that costs a destination ten times the memory.
_MAX_BYTES: Final = 3 << 20
_ERASURES: Final = "SELECT member_id, comment_id, erased_at FROM {erasures}"
# The unique one finds a row to replace; and of two processes that load the same event at once, one
# fails and loads again.
_POSTGRES_INDEXES: Final = (
    "CREATE UNIQUE INDEX IF NOT EXISTS comment_events_by_id ON {comment_events} (event_id)",
    "CREATE INDEX IF NOT EXISTS comment_events_of ON {comment_events} (member_id, comment_id)",
    "CREATE INDEX IF NOT EXISTS comment_events_by_time ON {comment_events} (received_at)",
)


class NewerTables(OperatorError):
    """The tables were made by a newer version of this code."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"[warehouse] the tables have version {version}, and this release knows them up to "
            f"{VERSION}: run the release that made them, or a later one"
        )


class Warehouse:
    """The tables in a destination. `Away` is raised by everything while it cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._target = database.target
        self._is_prepared = False

    def prepare(self) -> None:
        """Make the tables, or bring older ones up to this version. Idempotent.

        Raises NewerTables.
        """
        if self._is_prepared:
            return
        with self._database.session():
            found = self._one("SELECT MAX(version) FROM {schema_versions}") or 0
            if found > VERSION:
                raise NewerTables(found)
            if found < VERSION:
                self._make_tables()
                log.info("tables made", destination=self._target.label, version=VERSION)
        self._is_prepared = True

    def load(self, events: pa.Table) -> int:
        """Merge these rows into `comment_events`; when it returns, they are committed.

        Events that were erased on request stay away; returns how many rows were loaded.
        """
        self.prepare()
        if not events.num_rows:
            return 0
        with self._database.session():
            erasures = self._erasures()
            kept = without(events, erasures)
            for part in parts(kept, _MAX_BYTES):
                self._database.merge(COMMENT_EVENTS, part)
            # An erasure that came between the two questions has deleted before we loaded.
            for member_id, comment_id, erased_at in self._erasures() - erasures:
                self._delete(member_id, comment_id, before=erased_at)
        return int(kept.num_rows)

    def absent(self, event_ids: Collection[str], earliest: datetime, latest: datetime) -> set[str]:
        """Which of these events, all received between the two moments, are not in the warehouse."""
        self.prepare()
        missing = set(event_ids)
        with self._database.session():
            for (event_id,) in self._database.ask(
                "SELECT event_id FROM {comment_events} WHERE received_at BETWEEN %s AND %s",
                earliest,
                latest,
            ):
                missing.discard(event_id)
        return missing

    def portals_of(self, comment_id: int) -> list[str]:
        """The portals that have a comment of this id."""
        self.prepare()
        with self._database.session():
            return [
                member_id
                for (member_id,) in self._database.ask(
                    "SELECT DISTINCT member_id FROM {comment_events} WHERE comment_id = %s "
                    "ORDER BY member_id",
                    comment_id,
                )
            ]

    def erasures(self) -> set[Erasure]:
        """What has been erased on request."""
        self.prepare()
        with self._database.session():
            return self._erasures()

    def erase(self, member_id: str, comment_id: int | None, now: datetime) -> int:
        """Delete all rows of a portal, or of one comment of it; returns how many there were.

        What was received until `now` is not loaded again either, by a replay or a backfill. Raises
        OperatorError where the destination cannot delete.
        """
        if not self._target.is_database:
            raise OperatorError(
                f"[warehouse] {self._target.label}: rows in files cannot be erased from here; see "
                "docs/warehouse.md"
            )
        self.prepare()
        with self._database.session():
            where, values = _of(member_id, comment_id)
            query = f"SELECT COUNT(*) FROM {{comment_events}} WHERE {where}"  # noqa: S608
            count = int(self._one(query, *values))
            record = {
                "erasure_id": str(uuid7()),
                "member_id": member_id,
                "comment_id": comment_id,
                "erased_at": now,
                "rows_erased": count,
            }
            # The record first: a load that is under way looks for it after it has committed.
            self._database.merge(ERASURES, rows.rows(ERASURES, [record]))
            self._delete(member_id, comment_id, before=now)
            if self._target.database:
                self._database.execute("CHECKPOINT")  # else the write-ahead log still has the rows
        return count

    def close(self) -> None:
        """Leave nothing of this process in the destination."""
        self._database.close()

    def _make_tables(self) -> None:
        version = {"version": VERSION, "applied_at": datetime.now(UTC)}
        for table in TABLES:
            values = rows.rows(VERSIONS, [version]) if table is VERSIONS else rows.empty(table)
            if table is VERSIONS:
                # Last, so that an interruption anywhere leads to doing all of it again.
                self._describe()
            self._database.merge(table, values)

    def _describe(self) -> None:
        """What dlt does not make: comments, an index, the view."""
        database = self._database
        if self._target.has_comments:
            for table in TABLES[:-1]:
                database.execute(f"COMMENT ON TABLE {{{table.name}}} IS {_text(table.description)}")
                for column in table.columns:
                    database.execute(
                        f"COMMENT ON COLUMN {{{table.name}}}.{column.name} IS "
                        f"{_text(column.description)}"
                    )
        if self._target.kind == "postgres":
            for index in _POSTGRES_INDEXES:
                database.execute(index)
        if self._target.is_database:
            database.execute(
                "CREATE OR REPLACE VIEW {comments} AS "
                + comments.select("{comment_events}", dialect=database.dialect)
            )

    def _erasures(self) -> set[Erasure]:
        return {
            (member_id, comment_id, erased_at)
            for member_id, comment_id, erased_at in self._database.ask(_ERASURES)
        }

    def _delete(self, member_id: str, comment_id: int | None, *, before: datetime) -> None:
        where, values = _of(member_id, comment_id)
        self._database.execute(
            f"DELETE FROM {{comment_events}} WHERE {where} AND received_at <= %s",  # noqa: S608
            *values,
            before,
        )

    def _one(self, query: str, *values: Any) -> Any:
        return next((row[0] for row in self._database.ask(query, *values)), None)


def parts(events: pa.Table, max_bytes: int) -> Iterator[pa.Table]:
    """The rows in as few equal parts as keep each to about `max_bytes`; none if there are none."""
    count = -(-events.nbytes // max_bytes) or 1
    rows_each = -(-events.num_rows // count) or 1
    for start in range(0, events.num_rows, rows_each):
        yield events.slice(start, rows_each)


def is_erased(event: CommentEvent, erasures: Collection[Erasure]) -> bool:
    """Whether an erasure covers this event."""
    return any(
        event.data.member_id == member_id
        and comment_id in {None, event.data.comment_id}
        and event.received_at <= erased_at
        for member_id, comment_id, erased_at in erasures
    )


def without(events: pa.Table, erasures: Collection[Erasure]) -> pa.Table:
    """The rows that no erasure covers."""
    for member_id, comment_id, erased_at in erasures:
        is_erased = pc.and_(
            pc.equal(events["member_id"], member_id),
            pc.less_equal(events["received_at"], pa.scalar(erased_at, pa.timestamp("us", "UTC"))),
        )
        if comment_id is not None:
            is_erased = pc.and_(is_erased, pc.equal(events["comment_id"], comment_id))
        events = events.filter(pc.invert(is_erased))
    return events


def _of(member_id: str, comment_id: int | None) -> tuple[str, list[Any]]:
    if comment_id is None:
        return "member_id = %s", [member_id]
    return "member_id = %s AND comment_id = %s", [member_id, comment_id]


def _text(literal: str) -> str:
    return "'" + literal.replace("'", "''") + "'"
