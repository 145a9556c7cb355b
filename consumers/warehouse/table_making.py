"""Makes the tables in the destination that are not there, and tells whether they are whole.

They may vanish while this runs: a file is removed, a schema or one table dropped. So they are
looked at in each session before anything is loaded, with one question.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from consumers.warehouse import event_rows
from consumers.warehouse.database import Database
from consumers.warehouse.erased_rows import ErasureRow
from consumers.warehouse.kept_states import KeptStates
from consumers.warehouse.known_erasures import KnownErasures
from consumers.warehouse.postgres_server import QUESTION, ServerFacts, refuse_unfit
from consumers.warehouse.table_schema import (
    COMMENT_EVENTS,
    ERASURES,
    EVENTS,
    TABLES,
    VERSION,
    VERSIONS,
)
from gateway.errors import OperatorError

__all__ = ["NewerTables", "Tables"]

log = structlog.get_logger()

_VIEW: Final = "comments"
_ERASURES: Final = (
    "SELECT erasure_id, member_id, comment_id, erased_at, rows_erased, subject FROM {erasures}"
)
# Their ids begin with the time.
_ERASURES_STANDING: Final = "SELECT COUNT(*), MAX(erasure_id) FROM {erasures}"
_WHOLE: Final = (
    "SELECT MAX(version) FROM {schema_versions} WHERE NOT EXISTS "
    "(SELECT 1 FROM {comment_events}, {events}, {erasures}, {comments} WHERE 1 = 0)"
)
_STATES: Final = ("comment_states", "stale_comments")
_SINCE: Final = {table.name: table.since for table in TABLES} | dict.fromkeys(_STATES, 4)
_STATES_WHOLE: Final = (
    " AND NOT EXISTS (SELECT 1 FROM {comment_states}, {stale_comments} WHERE 1 = 0)"
)
# By the unique ones a row finds the one that it replaces.
_POSTGRES_INDEXES: Final = {
    "comment_events_by_id": (
        "CREATE UNIQUE INDEX IF NOT EXISTS {index} ON {comment_events} (event_id)"
    ),
    "events_by_id": "CREATE UNIQUE INDEX IF NOT EXISTS {index} ON {events} (event_id)",
    "erasures_by_id": "CREATE UNIQUE INDEX IF NOT EXISTS {index} ON {erasures} (erasure_id)",
    "schema_versions_by_number": (
        "CREATE UNIQUE INDEX IF NOT EXISTS {index} ON {schema_versions} (version)"
    ),
    "comment_events_of": (
        "CREATE INDEX IF NOT EXISTS {index} ON {comment_events} (member_id, comment_id)"
    ),
    "comment_states_by_comment": (
        "CREATE UNIQUE INDEX IF NOT EXISTS {index} ON {comment_states} (comment_id, member_id)"
    ),
    "comment_events_by_time": (
        "CREATE INDEX IF NOT EXISTS {index} ON {comment_events} (received_at)"
    ),
    "events_of": (
        "CREATE INDEX IF NOT EXISTS {index} ON {events} (member_id, subject_kind, subject_id)"
    ),
    "events_by_time": "CREATE INDEX IF NOT EXISTS {index} ON {events} (received_at)",
}
_INDEXED: Final = "".join(" AND to_regclass(%s) IS NOT NULL" for _ in _POSTGRES_INDEXES)


class NewerTables(OperatorError):
    """The tables were made by a newer version of this code."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"[warehouse] the tables have version {version}, and this release knows them up to "
            f"{VERSION}: run the release that made them, or a later one"
        )


class Tables:
    """Makes and checks the tables of this release; call it within a session of the database.

    `states` are there where the states of comments are kept.
    """

    def __init__(self, database: Database, known: KnownErasures, states: KeptStates | None) -> None:
        self._database = database
        self._states = states
        self._target = database.target
        self._known = known
        self._were_whole = False
        self._standing: tuple[Any, ...] | None = None
        self._erasures: frozenset[ErasureRow] = frozenset()

    def ensure(self) -> None:
        """Have all tables whole and of this version; a question if they are.

        Raises NewerTables, and UnfitServer for a PostgreSQL that could not hold the rows.
        A process that has loaded goes on when a newer release has brought the tables further.
        Files are asked once: each question reads files, and nothing there can be made whole.
        """
        if self._were_whole and not self._target.is_database:
            return
        if not self._were_whole and self._target.kind == "postgres":
            self._refuse_unfit_server()
        found = self._version()
        if found > VERSION and not self._were_whole:
            raise NewerTables(found)
        if found < VERSION:
            self._make(found)
        self._were_whole = True

    def erasures(self) -> frozenset[ErasureRow]:
        """What has been erased on request; kept on this machine as well.

        They are read when their number or the last of them is another one than before.
        """
        standing = next(iter(self._database.ask(_ERASURES_STANDING)), (0, None))
        if standing != self._standing:
            self._erasures = self._read_erasures(standing[0])
            self._standing = standing
        return self._erasures

    def _read_erasures(self, count: int) -> frozenset[ErasureRow]:
        names = ErasureRow.__struct_fields__
        # Where nothing can be erased, as in files, the table may be that of an older version.
        rows = self._database.ask(_ERASURES) if count else ()
        found = {row[0]: ErasureRow(**dict(zip(names, row, strict=True))) for row in rows}
        if self._target.is_database:
            self._known.note(found)
        return frozenset(found.values())

    def _refuse_unfit_server(self) -> None:
        events = f"{self._database.dataset}.{COMMENT_EVENTS.name}"
        for facts in self._database.ask(QUESTION, events, events, events):
            refuse_unfit(ServerFacts(*facts))

    def _version(self) -> int:
        """The version of tables that are all there, else 0."""
        query = _WHOLE
        values: tuple[str, ...] = ()
        if not self._target.is_database:
            query = "SELECT MAX(version) FROM {schema_versions}"
        elif self._target.kind == "postgres":
            # A missing index is made again as a missing table is: nothing can be loaded without.
            query += _STATES_WHOLE + _INDEXED
            values = tuple(f"{self._database.dataset}.{name}" for name in _POSTGRES_INDEXES)
        elif self._states is not None:
            query += _STATES_WHOLE
        return next((row[0] for row in self._database.ask(query, *values)), None) or 0

    def _make(self, found: int) -> None:
        missing = self._missing() if self._target.is_database else []
        lost = self._lost(missing) if found == 0 else []
        # What dlt noted of them is as old as the tables that are gone.
        self._database.distrust()
        erased = self._known.erasures.values() if "erasures" in missing else ()
        version = {"version": VERSION, "applied_at": datetime.now(UTC)}
        for table in (COMMENT_EVENTS, EVENTS, ERASURES):
            self._database.make(table)
        if self._target.is_database:  # of files it would be one more, without a row
            self._database.make(VERSIONS)
        self._describe()
        if erased:
            self._database.merge(ERASURES, event_rows.rows(ERASURES, _records(erased)))
        # Last, so that an interruption anywhere leads to doing all of it again.
        self._database.merge(VERSIONS, event_rows.rows(VERSIONS, [version]))
        if lost:
            _tell_of_loss(self._target.label, lost, erased)
        else:
            log.info("tables made", destination=self._target.label, version=VERSION)

    def _lost(self, missing: list[str]) -> list[str]:
        """Those of the missing tables that were there; others came with a later version."""
        if not (self._were_whole or self._known.was_there):
            return []
        newest = "SELECT MAX(version) FROM {schema_versions}"
        had = next((row[0] for row in self._database.ask(newest)), None) or VERSION
        return [name for name in missing if _SINCE.get(name, 1) <= had]

    def _missing(self) -> list[str]:
        states = _STATES if self._states is not None else ()
        names = (*(table.name for table in TABLES), *states, _VIEW)
        return [name for name in names if not self._database.has(name)]

    def _describe(self) -> None:
        """What dlt does not make: comments, an index, the view."""
        database = self._database
        if self._target.has_comments:
            for table in (COMMENT_EVENTS, EVENTS, ERASURES):
                database.execute(f"COMMENT ON TABLE {{{table.name}}} IS {_text(table.description)}")
                for column in table.columns:
                    database.execute(
                        f"COMMENT ON COLUMN {{{table.name}}}.{column.name} IS "
                        f"{_text(column.description)}"
                    )
        if self._states is not None:
            self._states.make()
        if self._target.kind == "postgres":
            for name, statement in _POSTGRES_INDEXES.items():
                database.execute(statement.replace("{index}", name))
        if self._target.is_database and self._states is None:
            from consumers.warehouse import comments_view  # noqa: PLC0415 - sqlglot is large

            database.execute(
                "CREATE OR REPLACE VIEW {comments} AS "
                + comments_view.select("{comment_events}", dialect=database.dialect)
            )


def _records(erasures: Collection[ErasureRow]) -> list[dict[str, Any]]:
    return [{name: getattr(one, name) for name in ErasureRow.__struct_fields__} for one in erasures]


def _tell_of_loss(destination: str, missing: list[str], erased: Collection[ErasureRow]) -> None:
    told: dict[str, Any] = {"destination": destination, "missing": missing}
    if "erasures" in missing:
        told["erasures_restored"] = len(erased)
    if COMMENT_EVENTS.name in missing or EVENTS.name in missing:
        told["remedy"] = (
            "its rows are gone; what the stream still has comes back with "
            "`consumers warehouse backfill --from 30d`"
        )
    log.error("tables were gone and have been made anew", **told)


def _text(literal: str) -> str:
    return "'" + literal.replace("'", "''") + "'"
