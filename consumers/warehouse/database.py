"""Says what a warehouse needs of a destination, however that is loaded."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from consumers.warehouse.destination import Destination
from consumers.warehouse.table_schema import TABLES, Table

__all__ = ["NAMES", "Database"]

NAMES = (*(table.name for table in TABLES), "comments", "comment_states", "stale_comments")
"""The tables and the view, as statements name them: `{comments}`."""


class Database(Protocol):
    """Reads and writes a dataset in a destination. All calls block, and belong on one thread.

    In statements `{name}` stands for one of NAMES, and `%s` for a value.
    """

    target: Destination
    dataset: str

    @property
    def work_dir(self) -> Path:
        """Where this machine keeps what outlives a process."""

    @property
    def dialect(self) -> str:
        """Sqlglot's name of the SQL that the destination speaks."""

    def session(self) -> AbstractContextManager[None]:
        """What the methods below have to be called in.

        Raises what `refusal` makes of whatever fails inside. Sessions do not nest.
        """

    def make(self, table: Table) -> None:
        """Make the table if it is not there, and add the columns that it lacks."""

    def merge(self, table: Table, values: pa.Table) -> None:
        """Load rows into a table that is there, replacing those with the same key, or none of them.

        Each key may be there once in `values`.
        """

    def ask(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a query. There are none if a table does not exist."""

    def has(self, name: str) -> bool:
        """Whether a table or a view of this name is there, and can be read."""

    def execute(self, statement: str, *values: Any) -> None:
        """Carry out a statement."""

    def execute_each(self, *statements: str) -> None:
        """Carry out statements without values one by one, on one connection."""

    def distrust(self) -> None:
        """Let `make` look at the tables themselves, not at what was noted when it made them."""

    def close(self) -> None:
        """Leave nothing of this process in the destination."""
