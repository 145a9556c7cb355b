"""Reads where the warehouse is: the URL of `[warehouse] destination`. Does no I/O.

The forms and the pip extra of each are the table of docs/warehouse.md.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import SplitResult, parse_qs, parse_qsl, quote, unquote, urlencode, urlsplit

from msgspec import Struct

from gateway.errors import OperatorError
from gateway.secret_references import is_reference, resolve_secret
from gateway.secret_urls import taken_apart

__all__ = ["BadDestination", "Destination", "destination"]

Merge = Literal["upsert", "delete-insert", "append"]


class BadDestination(OperatorError):
    """`[warehouse] destination` cannot be used; the message never has its password."""

    def __init__(self, why: str) -> None:
        super().__init__(f"[warehouse] destination: {why}")


class Destination(Struct, frozen=True, kw_only=True):
    """A destination as dlt is to be told of it.

    `kind` is dlt's name of it, `arguments` are the arguments of dlt's factory. `label` may be
    shown to people and has no secret. `file_format` is what loads fastest, `merge` how rows of one
    event become one row. `database` is the file of an embedded DuckDB, else None. A
    database (and not files) has SQL that changes things; where it `has_comments`, columns can be
    commented on with the statement that PostgreSQL has for it.
    """

    kind: str
    label: str
    arguments: dict[str, Any]
    file_format: Literal["parquet", "insert_values"] = "parquet"
    merge: Merge = "upsert"
    table_format: Literal["iceberg", "delta"] | None = None
    database: Path | None = None
    has_comments: bool = False
    is_database: bool = True

    @property
    def is_straight(self) -> bool:
        """Whether it is loaded by its own driver, and dlt only makes its tables."""
        return self.kind in {"duckdb", "postgres"}


# The module that has to be there, and the extra of this project that brings it.
_DRIVERS: Final = {
    "postgres": ("psycopg2", "warehouse-postgres"),
    "redshift": ("psycopg2", "warehouse-redshift"),
    "clickhouse": ("clickhouse_connect", "warehouse-clickhouse"),
    "bigquery": ("google.cloud.bigquery", "warehouse-bigquery"),
    "snowflake": ("snowflake.connector", "warehouse-snowflake"),
    "databricks": ("databricks.sql", "warehouse-databricks"),
    "s3": ("s3fs", "warehouse-s3"),
    "gs": ("gcsfs", "warehouse-gs"),
    "az": ("adlfs", "warehouse-az"),
    "abfss": ("adlfs", "warehouse-az"),
    "iceberg": ("pyiceberg", "warehouse-iceberg"),
    "delta": ("deltalake", "warehouse-delta"),
}
# Nothing waits for ever: neither for a lock that somebody holds, nor for a server that is gone.
# What the URL says of these has precedence. https://www.postgresql.org/docs/current/libpq-connect.html
_POSTGRES: Final = {
    "options": "-c lock_timeout=30s -c statement_timeout=240s",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "tcp_user_timeout": "60000",
}
_STORES: Final = ("file", "s3", "gs", "az", "abfss")
_KINDS: Final = (
    "duckdb", "postgres", "redshift", "clickhouse", "bigquery", "snowflake", "databricks", *_STORES,
)  # fmt: skip

_WITH_PASSWORDS: Final = {"postgresql", *_KINDS} - {"duckdb", *_STORES}


def destination(setting: str) -> Destination:
    """The destination behind the setting: a URL, or `env:NAME` or `file:/path` of one.

    Raises BadDestination if the URL cannot be used, or the driver that it needs is not installed.
    """
    url = setting
    if is_reference(setting):
        url = resolve_secret(setting, name="[warehouse] destination")
    parts = _parts(url)
    scheme, _, rest = parts.scheme.partition("+")
    table_format: Any = None
    if scheme in {"iceberg", "delta"} and rest:
        _require(scheme)
        table_format, scheme = scheme, rest
    scheme = "postgres" if scheme == "postgresql" else scheme
    if scheme not in _KINDS or (table_format and scheme not in _STORES):
        raise BadDestination(
            f"scheme {parts.scheme or '(none)'!r} is unknown; known are {', '.join(_KINDS)}, and "
            "iceberg+ or delta+ before the last five"
        )
    _require(scheme)
    if scheme in _STORES:
        return _object_store(parts, scheme, table_format)
    return _READERS[scheme](parts)


def _parts(url: str) -> SplitResult:
    """The parts of the URL, whatever its password is made of. Quotes nothing of it in an error."""
    scheme = url.partition(":")[0].rpartition("+")[2]
    if scheme in _WITH_PASSWORDS and (whole := taken_apart(url)) is not None:
        url = whole.quoted()
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        # Its own words would show what it took for a port, which may be half of a password.
        raise BadDestination(
            f"not a URL of the form {scheme}://user:password@host:port/database"
        ) from None
    return parts


def _require(name: str) -> None:
    module, extra = _DRIVERS.get(name, (None, None))
    try:
        is_there = module is None or find_spec(module) is not None
    except ModuleNotFoundError:  # a parent package is missing
        is_there = False
    if not is_there:
        raise BadDestination(
            f"{name} needs a driver: pip install 'bitrix24-event-gateway[{extra}]'"
        )


def _duckdb(parts: SplitResult) -> Destination:
    # As in SQLAlchemy: three slashes and a relative path, or four and an absolute one.
    name = unquote(parts.path.removeprefix("/"))
    if parts.netloc or not name or name == ":memory:":
        raise BadDestination("duckdb wants a file: duckdb:///relative/path or duckdb:////path")
    path = Path(name).absolute()
    return Destination(
        kind="duckdb",
        label=f"duckdb {path}",
        arguments={"credentials": str(path)},
        database=path,
        has_comments=True,
    )


def _postgres(parts: SplitResult) -> Destination:
    database = _with_host_and_database(parts)
    # dlt insists on a password; an empty one makes libpq look into PGPASSWORD and ~/.pgpass, and
    # dlt strips the blank after it has seen that there is one.
    user = parts.netloc.rpartition("@")[0]
    if not user:
        raise BadDestination("postgres needs a user: postgres://user:password@host/database")
    host = parts.netloc.rpartition("@")[2]
    netloc = parts.netloc if ":" in user else f"{user}:%20@{host}"
    query = urlencode({**_POSTGRES, **dict(parse_qsl(parts.query))}, quote_via=quote)
    return Destination(
        kind="postgres",
        label=f"postgres {host}/{database}",
        arguments={
            "credentials": parts._replace(scheme="postgresql", netloc=netloc, query=query).geturl(),
        },
        file_format="insert_values",
        has_comments=True,
    )


def _redshift(parts: SplitResult) -> Destination:
    database = _with_host_and_database(parts)
    return Destination(
        kind="redshift",
        label=f"redshift {parts.hostname}/{database}",
        arguments={"credentials": parts._replace(scheme="redshift").geturl()},
        file_format="insert_values",
        merge="delete-insert",
        has_comments=True,
    )


def _clickhouse(parts: SplitResult) -> Destination:
    database = _with_host_and_database(parts)
    return Destination(
        kind="clickhouse",
        label=f"clickhouse {parts.hostname}/{database}",
        arguments={"credentials": parts.geturl()},
        merge="delete-insert",
    )


def _snowflake(parts: SplitResult) -> Destination:
    database = _with_host_and_database(parts)
    return Destination(
        kind="snowflake",
        label=f"snowflake {parts.hostname}/{database}",
        arguments={"credentials": parts.geturl()},
        has_comments=True,
    )


def _bigquery(parts: SplitResult) -> Destination:
    if not parts.hostname:
        raise BadDestination("bigquery wants a project: bigquery://project?location=EU")
    location = parse_qs(parts.query).get("location", ["US"])[0]
    return Destination(
        kind="bigquery",
        label=f"bigquery {parts.netloc}",
        # Credentials are Google's own: GOOGLE_APPLICATION_CREDENTIALS, or the machine's account.
        arguments={"project_id": parts.netloc, "location": location},
    )


def _databricks(parts: SplitResult) -> Destination:
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    if not (parts.hostname and parts.password and {"http_path", "catalog"} <= query.keys()):
        raise BadDestination(
            "databricks wants databricks://token:<token>@<host>?http_path=...&catalog=..."
        )
    return Destination(
        kind="databricks",
        label=f"databricks {parts.hostname}/{query['catalog']}",
        arguments={
            "credentials": {
                "server_hostname": parts.hostname,
                "access_token": unquote(parts.password),
                "http_path": query["http_path"],
                "catalog": query["catalog"],
            }
        },
        has_comments=True,
    )


def _object_store(
    parts: SplitResult, scheme: str, table_format: Literal["iceberg", "delta"] | None
) -> Destination:
    bucket = parts._replace(scheme=scheme).geturl()
    if not (parts.netloc or parts.path.strip("/")):
        raise BadDestination(f"{scheme} wants a bucket or a directory")
    return Destination(
        kind="filesystem",
        label=f"{table_format or 'parquet'} in {scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}",
        arguments={"bucket_url": bucket},
        merge="upsert" if table_format else "append",
        table_format=table_format,
        is_database=False,
    )


def _with_host_and_database(parts: SplitResult) -> str:
    database = parts.path.strip("/")
    if not parts.hostname or not database:
        raise BadDestination(
            f"{parts.scheme} wants {parts.scheme}://user:password@host:port/database"
        )
    return database


_READERS: Final = {
    "duckdb": _duckdb,
    "postgres": _postgres,
    "redshift": _redshift,
    "clickhouse": _clickhouse,
    "snowflake": _snowflake,
    "bigquery": _bigquery,
    "databricks": _databricks,
}
