"""Chooses by which way a destination is loaded."""

from consumers.warehouse.database import Database
from consumers.warehouse.destination import Destination
from consumers.warehouse.workspace import Workspace

__all__ = ["database_of"]


def database_of(target: Destination, *, dataset: str, workspace: Workspace) -> Database:
    """The database of a destination: by its own driver where that is proven here, else by dlt.

    Imports what this one needs, and nothing that another would.
    """
    if target.kind == "duckdb":
        from consumers.warehouse.duckdb_database import DuckDbDatabase  # noqa: PLC0415

        return DuckDbDatabase(target, dataset=dataset, workspace=workspace)
    if target.kind == "postgres":
        from consumers.warehouse.postgres_database import PostgresDatabase  # noqa: PLC0415

        return PostgresDatabase(target, dataset=dataset, workspace=workspace)
    from consumers.warehouse.dlt_database import DltDatabase  # noqa: PLC0415

    return DltDatabase(target, dataset=dataset, workspace=workspace)
