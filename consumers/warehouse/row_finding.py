"""Finds the rows of one event, in whichever table they are."""

from typing import Any, Final

from msgspec import Struct

from consumers.warehouse.destination import Destination
from consumers.warehouse.query import answer
from consumers.warehouse.table_schema import COMMENT_EVENTS, EVENTS
from gateway.contract import moment_in
from gateway.errors import OperatorError

__all__ = ["FoundRow", "find_rows"]

_TABLES: Final = (COMMENT_EVENTS, EVENTS)


class FoundRow(Struct, frozen=True):
    """A row, by the names of its columns."""

    table: str
    row: dict[str, Any]


def find_rows(target: Destination, dataset: str, event_id: str, *, wait_s: float) -> list[FoundRow]:
    """The rows of the event of this id: one, if it was loaded.

    Waits up to `wait_s` seconds for a load to leave the file of DuckDB, and then raises
    DestinationAway. Raises OperatorError for what is no event's id, and for a destination that is
    not asked from here.
    """
    if moment_in(event_id) is None:  # so there is nothing in it that SQL could take for its own
        raise OperatorError(f"{event_id}: no id of an event, which has its time of receipt in it")
    schema = f"FROM information_schema.tables WHERE table_schema = '{dataset}'"
    query = f"SELECT table_name AS name {schema}"
    tables = answer(target, dataset, query, wait_s=wait_s).to_pylist()
    there = {row["name"] for row in tables}
    found = []
    for table in _TABLES:
        if table.name in there:
            query = f"SELECT * FROM {table.name} WHERE event_id = '{event_id}'"  # noqa: S608
            rows = answer(target, dataset, query, wait_s=wait_s).to_pylist()
            found += [FoundRow(table.name, row) for row in rows]
    return found
