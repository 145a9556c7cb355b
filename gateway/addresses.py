"""What a Redis URL of the settings means: one server, a primary found by Sentinels, or a cluster.

    redis://[user:password@]host:port/db        one server; rediss:// with TLS, unix:// by a socket
    redis+sentinel://[user:password@]host:port,host:port/service[/db]     the Sentinels
    redis+cluster://[user:password@]host:port,host:port                   some nodes of the cluster

With `rediss+` both speak TLS. User and password are those of the servers.
"""

from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from gateway.errors import OperatorError

__all__ = ["Address"]

_PORTS: Final = {"sentinel": 26379, "cluster": 6379}


class Address(Struct, frozen=True, kw_only=True):
    """A deployment of Redis; `nodes` are the Sentinels, or nodes of the cluster."""

    kind: Literal["server", "sentinel", "cluster"]
    url: str
    nodes: tuple[tuple[str, int], ...] = ()
    service: str = ""
    db: int = 0
    username: str | None = None
    password: str | None = None
    has_tls: bool = False

    @classmethod
    def of(cls, url: str) -> "Address":
        """Read a URL. Raises OperatorError, which never shows the password."""
        parts = urlsplit(url)
        base, _, kind = parts.scheme.partition("+")
        if not kind:
            return cls(kind="server", url=url)
        credentials, _, hosts = parts.netloc.rpartition("@")
        username, _, password = credentials.partition(":")
        path = [piece for piece in parts.path.split("/") if piece]
        try:
            nodes = tuple(_node(host, _PORTS[kind]) for host in hosts.split(","))
            if kind == "sentinel":
                service, db = path[0], int(path[1]) if len(path) > 1 else 0
            else:
                service, db = "", 0
        except (KeyError, IndexError, ValueError) as error:
            raise OperatorError(
                f"[redis] url: {parts.scheme}:// needs host:port,host:port"
                + ("/service[/db]" if kind == "sentinel" else "")
            ) from error
        return cls(
            kind="sentinel" if kind == "sentinel" else "cluster",
            url=url,
            nodes=nodes,
            service=service,
            db=db,
            username=unquote(username) or None,
            password=unquote(password) or None,
            has_tls=base == "rediss",
        )


def _node(text: str, port: int) -> tuple[str, int]:
    host, _, given = text.rpartition(":") if ":" in text else (text, "", "")
    if not host:
        raise ValueError(text)
    return host, int(given) if given else port
