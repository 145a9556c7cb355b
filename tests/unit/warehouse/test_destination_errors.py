"""What drivers raise is judged by who has to act, however deep dlt has wrapped it."""

import duckdb
import pytest

from consumers.warehouse.destination_errors import (
    DestinationAway,
    LackingTable,
    RowsRefused,
    Unusable,
    refusal,
)
from gateway.errors import GatewayError


class _Coded(Exception):
    """As psycopg2's, which have the code of the server's reply."""

    def __init__(self, code: str) -> None:
        super().__init__("said by the server")
        self.pgcode = code


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (duckdb.OutOfMemoryException("failed to allocate"), RowsRefused),
        (_Coded("53200"), RowsRefused),
        (_Coded("22P05"), RowsRefused),
        (_Coded("54000"), RowsRefused),
        (duckdb.CatalogException("no such table"), LackingTable),
        (_Coded("42P01"), LackingTable),
        (_Coded("42501"), Unusable),
        (_Coded("25006"), Unusable),
        (PermissionError(13, "Permission denied"), Unusable),
        (
            RuntimeError('FATAL:  password authentication failed for user "x"'),
            Unusable,
        ),
        (duckdb.IOException("we can only read versions between 64 and 67"), Unusable),
        (_Coded("55P03"), DestinationAway),
        (_Coded("57P03"), DestinationAway),
        (duckdb.IOException("No space left on device"), DestinationAway),
        (ConnectionRefusedError("nobody there"), DestinationAway),
        (RuntimeError("what nobody knows"), DestinationAway),
    ],
    ids=str,
)
def test_an_error_is_judged_by_its_cause(error: Exception, kind: type[GatewayError]) -> None:
    wrapped = RuntimeError("pages of rows")
    wrapped.__cause__ = ValueError("a step failed")
    wrapped.__cause__.__cause__ = error

    told = refusal(wrapped)

    assert type(told) is kind
    assert "pages" not in str(told)
    assert len(str(told).splitlines()) == 1


def test_too_much_at_once_is_told_from_what_never_fits() -> None:
    def for_memory(error: Exception) -> bool:
        told = refusal(error)
        assert isinstance(told, RowsRefused)
        return told.for_memory

    assert for_memory(duckdb.OutOfMemoryException("failed to allocate"))
    assert not for_memory(_Coded("22021"))
