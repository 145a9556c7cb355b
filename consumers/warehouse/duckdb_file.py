"""Opens the file of an embedded DuckDB: held by one process that writes, or read by any number.

https://duckdb.org/docs/stable/connect/concurrency
"""

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import duckdb

from consumers.warehouse.destination_errors import DestinationAway, cause_of

__all__ = ["attach", "attached", "held", "patiently"]

_LOCK_POLL_S: Final = 0.005
_OWN: Final = 0o600


@contextmanager
def held(
    path: Path, settings: Mapping[str, str], *, wait_s: float
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the file, held for this process; who connects to it here shares its database.

    The file has texts of customers, so nobody but its owner may read it: wider rights are taken
    away. Raises DestinationAway if another process has it open for longer than `wait_s` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_if_empty(path)
    connection = patiently(lambda: duckdb.connect(str(path)), path, wait_s=wait_s)
    try:
        _narrow(path)
        for name, value in settings.items():
            connection.execute(f"SET GLOBAL {name} = '{value}'")
        yield connection
    finally:
        connection.close()


@contextmanager
def attached(
    instance: duckdb.DuckDBPyConnection, path: Path, name: str, *, wait_s: float
) -> Iterator[None]:
    """Have the file under this name in a running DuckDB, held for this process.

    That is twenty times as fast as `held`, which starts a DuckDB. As with that, wider rights are
    taken away, and DestinationAway is raised. After an error the instance is closed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_if_empty(path)
    attach(instance, path, name, wait_s=wait_s)
    try:
        _narrow(path)
        yield
        instance.execute(f"DETACH {name}")
    except BaseException:
        # Whatever state it is in, the file is free for others then.
        instance.close()
        raise


def attach(instance: duckdb.DuckDBPyConnection, path: Path, name: str, *, wait_s: float) -> None:
    """Have the file under this name in a running DuckDB; raises DestinationAway as `held` does."""
    quoted = str(path).replace("'", "''")
    patiently(lambda: instance.execute(f"ATTACH '{quoted}' AS {name}"), path, wait_s=wait_s)


def patiently(
    connect: Callable[[], duckdb.DuckDBPyConnection], path: Path, *, wait_s: float
) -> duckdb.DuckDBPyConnection:
    """Connect to the file once no other process is in the way; DestinationAway after `wait_s`."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return connect()
        except duckdb.IOException as error:
            if "lock" not in str(error):
                raise
            if time.monotonic() > deadline:
                raise DestinationAway(
                    f"another process has had {path} open for {wait_s:g} s: {cause_of(error)}"
                ) from error
            time.sleep(_LOCK_POLL_S)


def _remove_if_empty(path: Path) -> None:
    """Remove a file without a byte: a full disk leaves it behind, and DuckDB refuses it for ever.

    Not one that another process has locked: it may just be making its own.
    """
    with suppress(OSError):  # not there, not ours, or locked
        if path.stat().st_size:
            return  # to open it would end the locks that this process may have on it
        with path.open("rb+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not path.stat().st_size:
                path.unlink()


def _narrow(path: Path) -> None:
    """Take from the file, and what DuckDB writes beside it, the rights of other users."""
    for one in (path, path.with_name(f"{path.name}.wal")):
        with suppress(OSError):  # not ours, or not there
            if one.stat().st_mode & 0o077:
                one.chmod(_OWN)
