"""Asks what a PostgreSQL server is like, before anything is loaded into it."""

from typing import Final

from msgspec import Struct

from gateway.errors import OperatorError

__all__ = ["QUESTION", "ServerFacts", "UnfitServer", "refuse_unfit"]

# The rows are NULL while the table is not there.
QUESTION: Final = """
SELECT current_setting('server_encoding'), CAST(current_setting('server_version_num') AS integer),
  current_setting('transaction_read_only') = 'on', current_user, current_database(),
  has_database_privilege(current_database(), 'CREATE'),
  has_table_privilege(to_regclass(%s), 'INSERT') AND has_table_privilege(to_regclass(%s), 'UPDATE')
    AND has_table_privilege(to_regclass(%s), 'DELETE')
"""
_ENCODINGS: Final = ("UTF8", "SQL_ASCII")
"""Those that hold every text: Unicode, and bytes that the server does not look at."""
_OLDEST: Final = 150_000
"""MERGE, by which rows replace those of the same event, came with PostgreSQL 15:
https://www.postgresql.org/docs/15/release-15.html"""


class ServerFacts(Struct, frozen=True):
    """What the server says of itself, in the order of QUESTION."""

    encoding: str
    version: int
    is_read_only: bool
    user: str
    database: str
    may_make_schemas: bool
    may_change_events: bool | None


class UnfitServer(OperatorError):
    """The server would refuse rows, sooner or later; the message says what to do."""

    def __init__(self, why: str) -> None:
        super().__init__(f"[warehouse] destination: {why}")


def refuse_unfit(facts: ServerFacts) -> None:
    """Raise UnfitServer if rows could not be loaded, for the first reason why."""
    if facts.encoding not in _ENCODINGS:
        raise UnfitServer(
            f"database {facts.database} has the encoding {facts.encoding}, which cannot hold every "
            "text: name one that was made with ENCODING 'UTF8' TEMPLATE template0"
        )
    if facts.version < _OLDEST:
        raise UnfitServer(
            f"the server is PostgreSQL {facts.version // 10_000}: 15 or later is needed"
        )
    if facts.is_read_only:
        raise UnfitServer(
            f"database {facts.database} is read-only for {facts.user}: name the primary server, or "
            "take default_transaction_read_only away"
        )
    if not facts.may_make_schemas:
        raise UnfitServer(
            f"{facts.user} may make no schema: GRANT CREATE ON DATABASE {facts.database} TO "
            f"{facts.user}"
        )
    if facts.may_change_events is False:
        raise UnfitServer(
            f"{facts.user} may not insert, update and delete in comment_events: use the user that "
            "made the tables"
        )
