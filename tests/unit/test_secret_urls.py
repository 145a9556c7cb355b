"""URLs with passwords: shown without them, and written so that other readers understand them."""

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.secret_urls import taken_apart, without_password

_ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="%"), min_size=1)


@given(_ANY_TEXT)
def test_other_readers_find_the_password_in_the_quoted_url(password: str) -> None:
    parts = taken_apart(f"postgres://user:{password}@host:5432/database?sslmode=require")
    assert parts is not None

    read = urlsplit(parts.quoted())

    assert unquote(read.password or "") == password
    assert (read.hostname, read.port, read.path) == ("host", 5432, "/database")
    assert read.query == "sslmode=require"


@given(_ANY_TEXT)
def test_no_password_is_shown(password: str) -> None:
    shown = without_password(f"redis://user:{password}@one:6379/0")

    assert shown == "redis://user:***@one:6379/0"
    assert "FAKE" not in repr(taken_apart(f"redis://u:FAKE{password}@one"))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://one:6379/0", "redis://one:6379/0"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        ("redis+cluster://one:1,two:2", "redis+cluster://one:1,two:2"),
        ("redis://user@one", "redis://user@one"),
        ("postgres://user:FAKE-SECRET", "postgres://user:***"),
        ("redis://one?sentinel_password=FAKE&db=1", "redis://one?sentinel_password=***&db=1"),
        ("duckdb:///var/warehouse.duckdb", "duckdb:///var/warehouse.duckdb"),
        ("env:NAME", "env:NAME"),
        ("file:/run/secrets/url", "file:/run/secrets/url"),
    ],
)
def test_the_rest_is_shown_as_it_is(url: str, shown: str) -> None:
    assert without_password(url) == shown
