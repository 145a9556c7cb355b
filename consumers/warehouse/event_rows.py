"""Makes rows of `comment_events` out of entries: a pure function to an Arrow table.

Everything that a destination could refuse about a value is settled here, so that a failed load is
never the fault of an event: numbers fit into 64 bits, timestamps are timestamps, and text has no
NUL, which PostgreSQL refuses (https://www.postgresql.org/docs/current/datatype-character.html).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec
import pyarrow as pa

from consumers.warehouse.table_schema import COMMENT_EVENTS, Column, Table
from gateway.contract import Comment, CommentEvent, EntryId

__all__ = ["Loadable", "Unfit", "arrow_schema", "empty", "json_text", "made", "rows", "table"]

_ARROW: Final = {
    "text": pa.string(),
    "bigint": pa.int64(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "json": pa.string(),
}
_ABSENT: Final = Comment(state="unavailable")


class Loadable(Protocol):
    """What is read of a runtime's entry: an event, and where it stands."""

    @property
    def stream(self) -> str: ...  # noqa: D102 - as in consumers.runtime.Entry
    @property
    def partition(self) -> int: ...  # noqa: D102
    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def event(self) -> Any: ...  # noqa: D102


class Unfit(ValueError):
    """An event with a value that no row can hold; trying again cannot help."""

    def __init__(self, event_id: str, why: str) -> None:
        super().__init__(f"event {event_id}: {why}")
        self.event_id = event_id
        self.why = why


def arrow_schema(described: Table) -> pa.Schema:
    """The Arrow schema of a table."""
    return pa.schema(
        [pa.field(c.name, _ARROW[c.type], nullable=c.nullable) for c in described.columns]
    )


def empty(described: Table) -> pa.Table:
    """No rows of a table."""
    return arrow_schema(described).empty_table()


def rows(described: Table, values: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows of a table from plain values."""
    return pa.Table.from_pylist(list(values), schema=arrow_schema(described))


def table(entries: Sequence[Loadable], *, loaded_at: datetime) -> pa.Table:
    """The rows of `comment_events` for these entries: one for each event id, the last one given.

    Entries of other events are left out. Raises Unfit for the first event that fits in no row.
    """
    latest = {e.event.id: e for e in entries if isinstance(e.event, CommentEvent)}
    return made(COMMENT_EVENTS, list(map(_values, latest.values())), loaded_at=loaded_at)


def made(described: Table, values: Sequence[tuple[Any, ...]], *, loaded_at: datetime) -> pa.Table:
    """Rows of a table of events: each value in the order of the columns, without `loaded_at`.

    Raises Unfit for the first that fits in no row; the first column is the event's id.
    """
    try:
        return _table(described, values, loaded_at)
    except (pa.ArrowException, OverflowError) as error:
        for row in values:
            try:
                _table(described, [row], loaded_at)
            except (pa.ArrowException, OverflowError) as fault:
                raise Unfit(str(row[0]), str(fault)) from fault
        raise AssertionError("rows that fit one by one fit together") from error


def json_text(value: Any) -> str:
    """A value as JSON in which no text has a NUL."""
    encoded = msgspec.json.encode(value)
    if b"\\u0000" in encoded:
        encoded = msgspec.json.encode(_free_of_nul(msgspec.to_builtins(value)))
    return encoded.decode()


def _values(entry: Loadable) -> tuple[Any, ...]:
    """A row without `loaded_at`, in the order of the columns."""
    event: CommentEvent = entry.event
    data = event.data
    enriched = data.comment if isinstance(data.comment, Comment) else None
    comment = enriched or _ABSENT
    entry_id = EntryId.of(entry.id)
    return (
        event.id,
        event.type.rpartition(".")[2],
        data.member_id,
        data.domain,
        data.comment_id,
        data.user_id,
        data.event_handler_id,
        event.time,
        event.receivedat,
        event.traceparent if isinstance(event.traceparent, str) else None,
        entry.stream,
        entry.partition,
        entry_id.ms,
        entry_id.number,
        enriched and comment.state,
        comment.text,
        comment.text_plain,
        comment.author_id,
        comment.entity_type,
        comment.entity_id,
        comment.created_at,
        json_text(comment.files) if comment.files else None,
        comment.fetched_at,
        comment.content_hash,
        comment.reason,
        json_text(comment.cut) if comment.cut else None,
    )


def _table(described: Table, values: Sequence[tuple[Any, ...]], loaded_at: datetime) -> pa.Table:
    filled = [column for column in described.columns if column.name != "loaded_at"]
    by_column = zip(*values, strict=True) if values else [()] * len(filled)
    arrays = {
        column.name: _array(column, its) for column, its in zip(filled, by_column, strict=True)
    }
    arrays["loaded_at"] = pa.repeat(pa.scalar(loaded_at, _ARROW["timestamp"]), len(values))
    return pa.Table.from_arrays(
        [arrays[name] for name in described.names], schema=arrow_schema(described)
    )


def _array(column: Column, values: Sequence[Any]) -> pa.Array:
    if column.type == "timestamp":
        # Arrow reads RFC 3339, and refuses a time without a zone.
        return pa.array(values, pa.string()).cast(_ARROW["timestamp"])
    if column.type in {"text", "json"}:
        return pa.array(_without_nul(values), pa.string())
    return pa.array(values, _ARROW[column.type])


def _without_nul(values: Sequence[str | None]) -> Sequence[str | None]:
    if not any(value and "\0" in value for value in values):
        return values
    return [value and value.replace("\0", "") for value in values]


def _free_of_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, dict):
        return {_free_of_nul(name): _free_of_nul(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_free_of_nul(member) for member in value]
    return value
