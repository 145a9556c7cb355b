"""dlt's destination `postgres`, with one thing done otherwise: an empty text stays one.

dlt's own COPY says FORCE_NULL for each column that may be null, by which '' becomes NULL. Arrow
writes the two differently (an empty text in quotes, nothing for a null), as COPY reads them:
https://www.postgresql.org/docs/current/sql-copy.html
"""

from typing import Any

import dlt.destinations
from dlt.common.storages import ParsedLoadJobFileName
from dlt.common.storages.file_storage import FileStorage
from dlt.destinations.impl.postgres.postgres import PostgresClient, PostgresCsvCopyJob

__all__ = ["postgres"]


class _CopyJob(PostgresCsvCopyJob):
    """Copies one csv file, whose first line names the columns, into its table."""

    def run(self) -> None:
        client = self._job_client.sql_client
        with FileStorage.open_zipsafe_ro(self._file_path, "rb") as file:
            names = file.readline().decode().strip().split(",")
            columns = ", ".join(client.escape_column_name(name.strip('"')) for name in names)
            table = client.make_qualified_table_name(self.load_table_name)
            with client.begin_transaction(), client.native_connection.cursor() as cursor:
                cursor.copy_expert(
                    f"COPY {table} ({columns}) FROM STDIN WITH (FORMAT csv, ENCODING 'utf-8')",
                    file,
                )


class _Client(PostgresClient):
    def create_load_job(
        self,
        table: Any,
        file_path: str,
        load_id: str,
        restore: bool = False,  # noqa: FBT001, FBT002
    ) -> Any:
        if ParsedLoadJobFileName.parse(file_path).file_format == "csv":
            return _CopyJob(file_path)
        return super().create_load_job(table, file_path, load_id, restore)


class postgres(dlt.destinations.postgres):  # noqa: N801 - dlt's name of it
    """The destination; takes what dlt's takes."""

    @property
    def client_class(self) -> type[_Client]:
        """What dlt loads with."""
        return _Client
