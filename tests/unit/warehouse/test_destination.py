"""What a URL leads to. dlt itself is asked whether it takes what it is given."""

from collections.abc import Iterator
from pathlib import Path

import dlt.destinations
import pytest
import sqlglot
from dlt.destinations.impl.postgres.configuration import PostgresClientConfiguration

from consumers.warehouse import comments_view
from consumers.warehouse import destination as module
from consumers.warehouse.destination import BadDestination, destination
from consumers.warehouse.dlt_surroundings import surround
from consumers.warehouse.workspace import Workspace

SERVERS = [
    (
        "postgres://gateway:s3cret@db.example:5433/warehouse",
        "postgres",
        "db.example:5433/warehouse",
    ),
    ("postgresql://gateway@db.example/warehouse", "postgres", "db.example/warehouse"),
    ("redshift://gateway:s3cret@cluster.example:5439/dev", "redshift", "cluster.example/dev"),
    ("clickhouse://gateway:s3cret@ch.example:9440/default", "clickhouse", "ch.example/default"),
    ("snowflake://gateway:s3cret@account/warehouse", "snowflake", "account/warehouse"),
    ("bigquery://my-project?location=EU", "bigquery", "my-project"),
    (
        "databricks://token:s3cret@adb.example?http_path=/sql/1&catalog=main",
        "databricks",
        "adb.example/main",
    ),
    ("s3://bucket/path", "filesystem", "parquet in s3://bucket/path"),
    ("iceberg+s3://bucket/path", "filesystem", "iceberg in s3://bucket/path"),
    ("delta+az://container/path", "filesystem", "delta in az://container/path"),
]


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path) -> Iterator[None]:
    """dlt tied to our settings, as in a process: left alone it reports its use."""
    taken = Workspace(tmp_path / "work")
    surround(taken.slot)
    yield
    taken.close()


@pytest.fixture
def every_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if all extras were installed."""
    monkeypatch.setattr(module, "find_spec", lambda _name: object())


@pytest.mark.parametrize(("url", "kind", "label"), SERVERS)
@pytest.mark.usefixtures("every_driver")
def test_a_url_becomes_a_destination_of_dlt_and_a_label_without_secrets(
    url: str, kind: str, label: str
) -> None:
    target = destination(url)

    assert target.kind == kind
    assert target.label.endswith(label)
    assert "s3cret" not in target.label
    made = getattr(dlt.destinations, kind)(**target.arguments)
    assert made.destination_name == kind
    if target.merge != "append" and target.is_database:
        assert target.merge in made.capabilities().supported_merge_strategies


@pytest.mark.parametrize(("url", "kind", "_label"), SERVERS)
@pytest.mark.usefixtures("every_driver")
def test_the_view_can_be_said_in_the_sql_of_each_database(url: str, kind: str, _label: str) -> None:
    target = destination(url)
    if not target.is_database:
        return
    dialect = getattr(dlt.destinations, kind)(**target.arguments).capabilities().sqlglot_dialect

    query = comments_view.select('"the schema"."the table"', dialect=dialect)

    assert query.count('"the schema"."the table"') == 4
    sqlglot.parse_one(query.replace('"the schema"."the table"', "t"), read=dialect)


def test_a_path_of_duckdb_is_relative_with_three_slashes_and_absolute_with_four() -> None:
    assert destination("duckdb:///var/x.duckdb").database == Path.cwd() / "var" / "x.duckdb"
    assert destination("duckdb:////var/x.duckdb").database == Path("/var/x.duckdb")


def test_the_url_may_stand_in_a_variable_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_WAREHOUSE", "duckdb:///a")
    (tmp_path / "url").write_text("duckdb:///b\n")

    assert destination("env:THE_WAREHOUSE").database == Path.cwd() / "a"
    assert destination(f"file:{tmp_path}/url").database == Path.cwd() / "b"
    assert destination("file:///srv/lake").label == "parquet in file:///srv/lake"


@pytest.mark.parametrize("password", ["s3cret", "s3/cret", "s3#cret", "s3@cret", "s3?cr%t", "s3[x"])
@pytest.mark.usefixtures("every_driver")
def test_a_password_may_have_any_character_and_is_shown_by_no_error(password: str) -> None:
    target = destination(f"postgres://gateway:{password}@db.example:5433/warehouse")

    assert target.label == "postgres db.example:5433/warehouse"
    # As dlt's own destinations are asked for their credentials.
    unbound = PostgresClientConfiguration()._bind_dataset_name("x")  # noqa: SLF001
    postgres = dlt.destinations.postgres(**target.arguments)
    credentials = postgres.configuration(unbound, accept_partial=True).credentials
    assert credentials.password == password
    for wrong in ("gateway:{}", "gateway:{}@db", "gateway:{}@db:port/warehouse", "a:{}@/b"):
        for scheme in ("postgres", "redshift", "snowflake", "clickhouse", "databricks", "mysql"):
            with pytest.raises(BadDestination) as refused:
                destination(f"{scheme}://{wrong.format(password)}")
            told = str(refused.value)
            assert not [piece for piece in ("cret", "cr%t", "'s3", "[x") if piece in told]
            assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "duckdb:///:memory:",
        "bigquery://",
        "databricks://host",
        "s3://",
        "iceberg+x://y",
    ],
)
@pytest.mark.usefixtures("every_driver")
def test_what_is_no_destination_is_refused(url: str) -> None:
    with pytest.raises(BadDestination):
        destination(url)
