"""What DuckDB and PostgreSQL have in common, which are loaded by their own drivers.

dlt makes their tables, and is imported for that alone: it takes 200 ms for each load, whatever is
in it, and as much memory as everything else (docs/decisions/0012-warehouse-loads.md).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pyarrow as pa
from msgspec import Struct
from msgspec.structs import replace

from consumers.warehouse.database import NAMES
from consumers.warehouse.destination import Destination
from consumers.warehouse.destination_errors import LackingTable, refusal
from consumers.warehouse.table_schema import Table
from consumers.warehouse.workspace import Workspace
from gateway.errors import GatewayError

if TYPE_CHECKING:
    from consumers.warehouse.dlt_database import DltDatabase

__all__ = ["MARK_STALE", "ROWS", "Statement", "StraightDatabase"]

ROWS: Final = "rows_of_this_load"
MARK_STALE: Final = (
    f"INSERT INTO {{stale_comments}} SELECT DISTINCT member_id, comment_id FROM {ROWS}"  # noqa: S608
)
"""Belongs into the transaction that loads events: their comments have other states from then on."""

_ROWS_AT_ONCE: Final = 10_000


class Statement(Struct, frozen=True):
    """A statement as databases take it, with its values."""

    text: str
    values: tuple[Any, ...] = ()


class StraightDatabase(ABC):
    """A Database whose sessions have one connection each, by DB-API 2.0 (PEP 249).

    A statement outside of `merge` and `execute_together` is a transaction of its own.
    """

    dialect: ClassVar[str]

    def __init__(self, target: Destination, *, dataset: str, workspace: Workspace) -> None:
        self.target = target
        self.dataset = dataset
        self._workspace = workspace
        self._tables_maker: DltDatabase | None = None
        self._opened: Any = None

    @property
    def work_dir(self) -> Path:
        """Where this machine keeps what outlives a process."""
        return self._workspace.directory

    @contextmanager
    def session(self) -> Iterator[None]:
        """What the other methods have to be called in: a connection, closed at the end."""
        try:
            with self._connected() as self._opened:
                yield
        except GatewayError:
            raise
        except Exception as error:
            # The drivers have exceptions of their own.
            self._has_failed()
            raise refusal(error) from error
        finally:
            self._opened = None

    def make(self, table: Table) -> None:
        """Make the table if it is not there, and add the columns that it lacks."""
        maker = self._maker()
        with self._left(), maker.session():
            maker.make(table)

    @abstractmethod
    def merge(self, table: Table, values: pa.Table) -> None:
        """Load rows, replacing those with the same key, in one transaction."""

    def ask(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a query. There are none if a table does not exist."""
        with closing(self._cursor()) as cursor:
            try:
                self._run(cursor, query, values)
            except Exception as error:
                if not isinstance(refusal(error), LackingTable):
                    raise
                return
            while batch := cursor.fetchmany(_ROWS_AT_ONCE):
                yield from batch

    def has(self, name: str) -> bool:
        """Whether a table or a view of this name is there, and can be read."""
        with closing(self._cursor()) as cursor:
            try:
                self._run(cursor, f"SELECT 1 FROM {{{name}}} WHERE 1 = 0", ())  # noqa: S608
            except Exception as error:
                if not isinstance(refusal(error), LackingTable):
                    raise
                return False
            return True

    def execute(self, statement: str, *values: Any) -> None:
        """Carry out a statement."""
        with closing(self._cursor()) as cursor:
            self._run(cursor, statement, values)

    def execute_each(self, *statements: str) -> None:
        """Carry out statements without values one by one, on one connection."""
        with closing(self._cursor()) as cursor:
            for statement in statements:
                self._run(cursor, statement, ())

    def execute_together(self, *statements: Statement) -> None:
        """Carry out statements in one transaction, one process after the other."""
        with self._transaction() as cursor:
            for statement in statements:
                self._run(cursor, statement.text, statement.values)

    def distrust(self) -> None:
        """Let `make` look at the tables themselves, not at what dlt noted when it made them."""
        maker = self._maker()
        with self._left(), maker.session():
            maker.distrust()

    def close(self) -> None:
        """Leave nothing of this process in the destination."""
        if self._tables_maker is not None:
            self._tables_maker.close()

    @abstractmethod
    def _connected(self) -> AbstractContextManager[Any]:
        """A connection that commits each statement by itself."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[Any]:
        """A cursor in a transaction, which no other process has at the same time."""

    def _left(self) -> AbstractContextManager[None]:
        """While dlt has the destination, where that cannot be at the same time."""
        return nullcontext()

    def _cursor(self) -> Any:
        return self._opened.cursor()

    def _has_failed(self) -> None:  # noqa: B027 - of no matter to most
        """Take note that a session has failed."""

    def _run(self, cursor: Any, statement: str, values: tuple[Any, ...]) -> None:
        names = {name: self._table(name) for name in NAMES}
        cursor.execute(statement.format(**names), values or None)

    def _table(self, name: str) -> str:
        return f'"{self.dataset}"."{name}"'

    def _maker(self) -> "DltDatabase":
        if self._tables_maker is None:
            from consumers.warehouse.dlt_database import DltDatabase  # noqa: PLC0415 - see above

            # Nothing is merged through it, so it needs no staging tables.
            target = replace(self.target, merge="append")
            self._tables_maker = DltDatabase(
                target, dataset=self.dataset, workspace=self._workspace
            )
        return self._tables_maker
