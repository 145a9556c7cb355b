"""Keeps the state of each comment, which the view `comments` shows, and knows which are stale.

A state follows from a comment's events alone; how, is in comments_view.py. `comment_states` has it
for all comments but those in `stale_comments`, of which the view makes it from their events
whenever it is asked. A load only writes down there, in its own transaction, which comments it had
events of; `refresh` makes their states anew when nothing else is to be done. So whatever is
delivered again, comes late or is erased, no state is ever put right: it is made of all events, by
the view or here. docs/decisions/0016-states-of-comments.md has the reasons.

Statements are such as DuckDB and PostgreSQL both understand.
"""

from datetime import datetime
from typing import Any, Final

import structlog

from consumers.warehouse import comments_view
from consumers.warehouse.destination_errors import RowsRefused
from consumers.warehouse.straight_database import Statement, StraightDatabase

__all__ = ["KeptStates"]

log = structlog.get_logger()

_MANY: Final = 2_000
"""Stale comments from which on they are made anew: until then the view takes a moment for them."""
_EVENTS_AT_ONCE: Final = 100_000
"""They take a third of a second, for which a load may have to wait."""
_COMMENTS_AT_ONCE: Final = 20_000
_PORTIONS: Final = 64
"""All comments of 20 million events have no place in DuckDB's memory at once."""

_STEP: Final = "comments_of_this_step"
_KEPT: Final = (
    "{comment_states} AS kept WHERE NOT EXISTS (SELECT 1 FROM {stale_comments} AS stale "
    "WHERE stale.member_id = kept.member_id AND stale.comment_id = kept.comment_id)"
)


def _among(comments: str) -> str:
    return f"(member_id, comment_id) IN (SELECT member_id, comment_id FROM {comments})"  # noqa: S608


def _made_of(comments: str) -> str:
    """The query for the states of these comments."""
    events = f"(SELECT * FROM {{comment_events}} WHERE {_among(comments)}) AS changed"  # noqa: S608
    return comments_view.select_without_joins(events)


_VIEW: Final = (
    f"CREATE OR REPLACE VIEW {{comments}} AS SELECT * FROM {_KEPT} "  # noqa: S608
    f"UNION ALL ({_made_of('{stale_comments}')})"
)
_NONE_YET: Final = f"({comments_view.select_without_joins('{comment_events}')}) AS made WHERE 1 = 0"
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS {stale_comments} (member_id varchar, comment_id bigint)",
    f"CREATE TABLE IF NOT EXISTS {{comment_states}} AS SELECT * FROM {_NONE_YET}",  # noqa: S608
)
_STATEMENTS: Final = (
    # In this order: what another process adds from now on stays stale.
    f"DELETE FROM {{stale_comments}} WHERE {_among(_STEP)}",  # noqa: S608
    f"DELETE FROM {{comment_states}} WHERE {_among(_STEP)}",  # noqa: S608
    f"INSERT INTO {{comment_states}} {_made_of(_STEP)}",
    f"DROP TABLE {_STEP}",
)
_COUNTED: Final = (
    f"SELECT (SELECT COALESCE(SUM(events), 0) FROM {_KEPT}), "  # noqa: S608
    "(SELECT COUNT(*) FROM " + _KEPT.replace("{comment_states}", "{comment_events}") + ")"
)
_COUNTS: Final = (
    "SELECT (SELECT COUNT(*) FROM {comment_events}), "
    "(SELECT COUNT(*) FROM {comment_states}) + (SELECT COUNT(*) FROM {stale_comments})"
)
_STALE_COUNT: Final = "SELECT COUNT(*) FROM {stale_comments}"


class KeptStates:
    """Makes, refreshes and erases states; all but `refresh` within a session of the database."""

    def __init__(self, database: StraightDatabase) -> None:
        self._database = database
        self._most = self._at_once = _COMMENTS_AT_ONCE
        self._is_at_it = False
        self._is_checked = False
        self._is_at_its_end = False

    def make(self) -> None:
        """Have the tables and the view, and all comments stale. Idempotent."""
        self._database.execute_each(*_TABLES, _VIEW)
        self._doubt_all()

    def erase(self, where: str, *values: Any, before: datetime) -> None:
        """Delete the events received until `before` of comments for which `where` holds."""
        self._database.execute_together(
            Statement(
                f"DELETE FROM {{comment_events}} WHERE {where} AND received_at <= %s",  # noqa: S608
                (*values, before),
            ),
            Statement(
                "INSERT INTO {stale_comments} SELECT member_id, comment_id "  # noqa: S608
                f"FROM {{comment_states}} WHERE {where}",
                values,
            ),
            Statement(f"DELETE FROM {{comment_states}} WHERE {where}", values),  # noqa: S608
        )

    def refresh(self, least: int = _MANY) -> bool:
        """Make some states anew, if at least so many are stale; whether there are more to make.

        Once begun it goes on to the last one, in steps of a moment each. Opens a session. Raises
        DestinationAway, and RowsRefused, once, for a comment whose events are too much by
        themselves: then what is stale stays so for this process.
        """
        if self._is_at_its_end:
            return False
        try:
            with self._database.session():
                if not self._is_due(least):
                    return False
                self._step()
        except RowsRefused:
            if self._at_once == 1:
                self._is_at_its_end = True
                raise
            self._at_once = max(1, self._at_once // 4)
        else:
            self._at_once = min(self._most, self._at_once * 2)
        return True

    def _is_due(self, least: int) -> bool:
        count = next((int(row[0]) for row in self._database.ask(_STALE_COUNT)), 0)
        self._is_at_it = count >= (1 if self._is_at_it else least)
        if self._is_at_it and not self._is_checked:
            self._check()
            self._is_checked = True
            ((events, comments),) = self._database.ask(_COUNTS)
            at_once = _EVENTS_AT_ONCE * comments // max(1, events)
            self._most = self._at_once = max(1, min(_COMMENTS_AT_ONCE, at_once))
        return self._is_at_it

    def _step(self) -> None:
        first = f"SELECT member_id, comment_id FROM {{stale_comments}} LIMIT {self._at_once}"  # noqa: S608
        taken = f"CREATE TEMPORARY TABLE {_STEP} AS SELECT DISTINCT * FROM ({first}) AS taken"  # noqa: S608
        self._database.execute_together(Statement(taken), *map(Statement, _STATEMENTS))

    def _check(self) -> None:
        """Have all comments stale if the states cannot be those of the events.

        So it is after a release that knew of no states has loaded, or somebody has deleted rows.
        """
        ((known, there),) = self._database.ask(_COUNTED)
        if known != there:
            log.warning("states of comments are made anew", events=there, known=int(known))
            self._doubt_all()

    def _doubt_all(self) -> None:
        """Have all comments stale. Repeated after an interruption, it leaves nothing out."""
        portions = [f"WHERE comment_id % {_PORTIONS} = {one}" for one in range(_PORTIONS)]
        if self._database.dialect == "postgres":
            portions = [""]
        self._database.execute_each(
            "DELETE FROM {stale_comments}",
            "DELETE FROM {comment_states}",
            *(
                "INSERT INTO {stale_comments} SELECT DISTINCT member_id, comment_id "  # noqa: S608
                f"FROM {{comment_events}} {portion}"
                for portion in portions
            ),
        )
