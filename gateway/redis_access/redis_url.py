"""Reads what a Redis URL of the settings means: one server, a primary found by Sentinels, or a
cluster.

    redis://[user:password@]host:port/db        one server; rediss:// with TLS
    unix://[user:password@]/path?db=0           one server, by a socket on this machine
    redis+sentinel://[user:password@]host:port,host:port/service[/db]     the Sentinels
    redis+cluster://[user:password@]host:port,host:port                   some nodes of the cluster

With `rediss+` both speak TLS. User and password are those of the servers; docs/redis.md has the
parameters, which are all that redis-py is told: a time-out or a retry of the URL's own would undo
what gateway.redis_access.connections promises.
"""

import re
from typing import Any, Final, Literal, NoReturn, Self
from urllib.parse import parse_qsl, unquote

from msgspec import Struct

from gateway.errors import SettingsError
from gateway.secret_references import resolve_secret
from gateway.secret_urls import SecretUrl, taken_apart

__all__ = ["RedisAddress"]

_NAME: Final = "[redis] url"
_KINDS: Final = {"": "server", "sentinel": "sentinel", "cluster": "cluster"}
_PORTS: Final = {"server": 6379, "sentinel": 26379, "cluster": 6379}
_FORMS: Final = {
    "server": "host:port/db",
    "sentinel": "host:port,host:port/service[/db]",
    "cluster": "host:port,host:port",
    "socket": "/path/of/the/socket",
}
_HOST: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:\[\]]+)(?::(?P<port>\d{1,5})?)?")
_TLS: Final = (
    "ssl_ca_certs",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_password",
    "ssl_check_hostname",
    "ssl_cert_reqs",
)
_OF_SENTINELS: Final = ("sentinel_username", "sentinel_password")
_TRUTHS: Final = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_AT_IN_PARAMETER: Final = re.compile(r"[?&](sentinel_)?password=")
_VERIFYING: Final = ("required", "optional", "none")


class RedisAddress(Struct, frozen=True, kw_only=True):
    """A deployment of Redis; `nodes` are the server, the Sentinels, or nodes of the cluster.

    `tls` are options for redis-py, None without TLS. `sentinel_password` is None where Sentinels
    that ask for one are given that of the servers.
    """

    kind: Literal["server", "sentinel", "cluster"]
    nodes: tuple[tuple[str, int], ...] = ()
    path: str = ""
    service: str = ""
    db: int = 0
    username: str | None = None
    password: str | None = None
    sentinel_username: str | None = None
    sentinel_password: str | None = None
    tls: dict[str, Any] | None = None

    def __repr__(self) -> str:
        """Without passwords, for tracebacks that show variables."""
        return f"Address({self})"

    def __str__(self) -> str:
        """For people: where Redis is, without passwords."""
        hosts = ", ".join(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.nodes
        )
        match self.kind:
            case "sentinel":
                return f"Redis {self.service!r} of the Sentinels at {hosts}"
            case "cluster":
                return f"the Redis Cluster at {hosts}"
            case _:
                return f"Redis at {self.path or hosts}"

    @classmethod
    def of(cls, url: str) -> Self:
        """Read a URL of the settings, or the one that a reference such as `env:NAME` names.

        Raises SettingsError, which never shows a password.
        """
        parts = taken_apart(resolve_secret(url, name=_NAME))
        if parts is None:
            _refuse(
                "must begin with redis://, rediss://, unix://, redis+sentinel:// or "
                "redis+cluster:// (rediss+… with TLS), or be env:NAME, file:/path or "
                "credential:NAME"
            )
        if _AT_IN_PARAMETER.search(f"{parts.username}:{parts.password}"):
            _refuse("an @ in a parameter is written %40")
        if parts.scheme == "unix":
            return cls._of_socket(parts)
        base, _, addition = parts.scheme.partition("+")
        if base not in {"redis", "rediss"} or addition not in _KINDS:
            _refuse(
                f"{parts.scheme}:// is unknown; known are redis://, rediss:// (TLS), unix://, "
                "redis+sentinel:// and redis+cluster:// (rediss+… with TLS)"
            )
        return cls._of_hosts(parts, kind=_KINDS[addition], has_tls=base == "rediss")

    @classmethod
    def _of_socket(cls, parts: SecretUrl) -> Self:
        given = _parameters(parts, known=("db", "username", "password"))
        if parts.hosts or not parts.path.strip("/"):
            _refuse_form(parts, "socket")
        return cls(
            kind="server",
            path=unquote(parts.path),
            db=_number(given.get("db", "0")),
            **_account(parts, given),
        )

    @classmethod
    def _of_hosts(cls, parts: SecretUrl, *, kind: Any, has_tls: bool) -> Self:
        known = ("db", "username", "password", *_TLS)
        given = _parameters(parts, known=known + (_OF_SENTINELS if kind == "sentinel" else ()))
        nodes = tuple(_node(host, _PORTS[kind]) for host in parts.hosts.split(","))
        if not all(nodes) or (kind == "server" and len(nodes) > 1):
            _refuse_form(parts, kind)
        pieces = [unquote(piece) for piece in parts.path.split("/") if piece]
        service = ""
        if kind == "sentinel":
            if not pieces:
                _refuse_form(parts, kind)
            service = pieces.pop(0)
        if len(pieces) > 1:
            _refuse_form(parts, kind)
        db = _number(given.get("db", pieces[0] if pieces else "0"))
        if kind == "cluster" and db:
            _refuse("a Redis Cluster has no databases but 0")
        return cls(
            kind=kind,
            nodes=tuple(node for node in nodes if node),
            service=service,
            db=db,
            **_account(parts, given),
            sentinel_username=given.get("sentinel_username"),
            sentinel_password=given.get("sentinel_password"),
            tls=_tls(given, has_tls=has_tls),
        )


def _refuse(why: str) -> NoReturn:
    # Without a cause: one might show what the URL holds.
    raise SettingsError(f"{_NAME}: {why}") from None


def _refuse_form(parts: SecretUrl, kind: str) -> NoReturn:
    _refuse(f"{parts.scheme}:// needs {_FORMS[kind]}, after user:password@ if it asks for them")


def _parameters(parts: SecretUrl, *, known: tuple[str, ...]) -> dict[str, str]:
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(given.keys() - set(known)):
        _refuse(f"unknown parameter {', '.join(unknown)}; known are {', '.join(known)}")
    return given


def _account(parts: SecretUrl, given: dict[str, str]) -> dict[str, Any]:
    return {
        "username": parts.username or given.get("username") or None,
        "password": parts.password or given.get("password") or None,
    }


def _node(text: str, default_port: int) -> tuple[str, int] | None:
    found = _HOST.fullmatch(text)
    if found is None:
        return None
    port = int(found["port"] or default_port)
    return (found["host"].strip("[]"), port) if 0 < port <= 65_535 else None


def _number(text: str) -> int:
    if not text.isdecimal():
        _refuse("the database is a number, as in redis://host:port/0")
    return int(text)


def _tls(given: dict[str, str], *, has_tls: bool) -> dict[str, Any] | None:
    """The options of TLS as redis-py wants them."""
    options: dict[str, Any] = {name: given[name] for name in _TLS if name in given}
    if not has_tls:
        if options:
            _refuse(f"{', '.join(options)}: for TLS, which rediss:// speaks and redis:// does not")
        return None
    if "ssl_check_hostname" in options:
        text = options["ssl_check_hostname"].lower()
        if text not in _TRUTHS:
            _refuse("ssl_check_hostname is yes or no")
        options["ssl_check_hostname"] = _TRUTHS[text]
    if options.get("ssl_cert_reqs", "required") not in _VERIFYING:
        _refuse(f"ssl_cert_reqs is one of {', '.join(_VERIFYING)}")
    if options.get("ssl_cert_reqs") == "none":
        options.setdefault("ssl_check_hostname", False)
    return options
