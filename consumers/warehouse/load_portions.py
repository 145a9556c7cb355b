"""Divides a load into what a destination gets at once, and cuts a text that is too long.

Pure functions of Arrow tables of `comment_events` and `events`.
"""

from collections.abc import Iterator
from typing import Final

import pyarrow as pa

__all__ = ["halves", "parts", "shortened"]

_LONG: Final = 64 << 10
"""Characters that any destination takes: ordinary rows are far below, and are never cut."""
_TEXTS: Final = ("comment_text", "comment_text_plain")


def parts(events: pa.Table, max_bytes: int) -> Iterator[pa.Table]:
    """The rows in as few equal parts as keep each to about `max_bytes`; none if there are none."""
    count = -(-events.nbytes // max_bytes) or 1
    rows_each = -(-events.num_rows // count) or 1
    for start in range(0, events.num_rows, rows_each):
        yield events.slice(start, rows_each)


def halves(events: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The first half of the rows and the rest, of at least two."""
    middle = events.num_rows // 2
    return events.slice(0, middle), events.slice(middle)


def shortened(row: pa.Table) -> pa.Table | None:
    """A single row with its long texts cut, which end with how long they were; None if none is."""
    values = row.to_pylist()[0]
    long = {name: values[name] for name in _TEXTS if len(values.get(name) or "") > _LONG}
    if not long:
        return None
    for name, text in long.items():
        row = row.set_column(
            row.schema.get_field_index(name),
            row.schema.field(name),
            pa.array([f"{text[:_LONG]}… [cut by the warehouse: {len(text)} characters]"]),
        )
    return row
