"""Servers that ask who comes: for a password, for TLS, for a certificate of the client."""

import socket
import ssl
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.local.redis_server import RedisServer, ServerBinary, free_port
from tests.support.certificates import Certificates
from tests.support.server_matrix import NotHere

__all__ = ["Guard", "GuardedServer", "require_tls"]

_ANSWER_S: Final = 0.5


class Guard(Struct, frozen=True, kw_only=True):
    """What servers of one deployment ask for, and ask each other for.

    Besides `user`, Redis's default user has the same password: it is what replicas come as.
    """

    password: str = ""
    user: str = ""
    certificates: Certificates | None = None
    asks_clients: bool = False  # for a certificate of theirs

    def options(self, port: int) -> tuple[str, ...]:
        """Of the command line of a server that listens on this port."""
        options: list[str] = []
        if self.password:
            options += ["--requirepass", self.password, "--masterauth", self.password]
        if self.user:
            options += ["--user", self.user, "on", f">{self.password}", "~*", "&*", "+@all"]
        if self.certificates is not None:
            options += self.tls_options(port)
            options += ["--tls-replication", "yes", "--tls-cluster", "yes"]
        return tuple(options)

    def tls_options(self, port: int) -> list[str]:
        """Of a server, or a Sentinel, that listens with TLS and not without."""
        assert self.certificates is not None
        certificate, key = self.certificates.of("server")
        return [
            *("--port", "0", "--tls-port", str(port)),
            *("--tls-cert-file", str(certificate), "--tls-key-file", str(key)),
            *("--tls-ca-cert-file", str(self.certificates.authority)),
            *("--tls-auth-clients", "yes" if self.asks_clients else "no"),
        ]

    def url(self, port: int) -> str:
        """Of one server, for a test that looks at it or changes something there."""
        account = f":{self.password}@" if self.password else ""
        if self.certificates is None:
            return f"redis://{account}127.0.0.1:{port}/0"
        certificate, key = self.certificates.of("client")
        return (
            f"rediss://{account}127.0.0.1:{port}/0?ssl_ca_certs={self.certificates.authority}"
            f"&ssl_certfile={certificate}&ssl_keyfile={key}"
        )

    def is_answered(self, port: int) -> bool:
        """Whether a server there lets in who has all this, and answers PING."""
        authenticating = f"AUTH {self.password}\r\n" if self.password else ""
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_S) as plain:
                plain.settimeout(_ANSWER_S)
                with self._wrapped(plain) as connection:
                    connection.sendall(f"{authenticating}PING\r\n".encode())
                    with connection.makefile("rb") as lines:
                        told = [lines.readline() for _ in range(2 if authenticating else 1)]
                    return told[-1].startswith(b"+PONG")
        except OSError:
            return False

    def _wrapped(self, plain: socket.socket) -> socket.socket:
        if self.certificates is None:
            return plain
        context = ssl.create_default_context(cafile=str(self.certificates.authority))
        context.load_cert_chain(*self.certificates.of("client"))
        return context.wrap_socket(plain, server_hostname="127.0.0.1")


class GuardedServer(RedisServer):
    """A server behind a guard; `url` lets in who looks after it."""

    def __init__(
        self,
        binary: ServerBinary,
        directory: Path,
        guard: Guard,
        *,
        options: Sequence[str] = (),
    ) -> None:
        port = free_port()
        self.guard = guard
        super().__init__(
            binary,
            directory,
            port=port,
            append_only=True,
            options=(*guard.options(port), *options),
        )

    @property
    def url(self) -> str:
        return self.guard.url(self.port)

    def answers(self) -> bool:
        return self.guard.is_answered(self.port)


@cache
def require_tls(binary: ServerBinary) -> None:
    """Raise NotHere if this server was built without TLS."""
    # Without a certificate each ends at once, and says why.
    said = subprocess.run(
        (binary.path, "--port", "0", "--tls-port", str(free_port())),
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    ).stdout
    if "Failed finding TLS support" in said or "connection type tls" in said:
        raise NotHere(f"this build of {binary.name} has no TLS")
