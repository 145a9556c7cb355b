"""Takes URLs apart in which a password may stand, so that it never becomes something else.

People put passwords into URLs as they are, and generated ones have `/`, `@`, `#` and `%` in them.
The usual rules of URLs then take the half of a password for a port or a path, and say so in an
error. Here the last `@` ends the password, whatever stands before it. What a percent sign and two
hexadecimal digits stand for is decoded, so that `%` itself is only to be written `%25` before two
of those.
"""

import re
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

__all__ = ["SecretUrl", "taken_apart", "without_password"]

_SCHEME: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)", re.DOTALL)
_HOSTS: Final = re.compile(
    r"(?P<hosts>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#.*)?", re.DOTALL
)
_SECRET_PARAMETER: Final = re.compile(
    r"(?i)(?<=[?&])([^=&]*(?:password|secret|token|key)[^=&]*)=[^&]*"
)
_PORT: Final = re.compile(r"\d*")
_MASK: Final = "***"


class SecretUrl(NamedTuple):
    """A URL in its parts; user and password are decoded, None where there is none."""

    scheme: str
    username: str | None
    password: str | None
    hosts: str
    path: str
    query: str

    def __repr__(self) -> str:
        """For tracebacks that show variables."""
        return f"SecretUrl({self.scheme}://{self.hosts}{self.path})"

    @property
    def user_info(self) -> str:
        """User and password as a URL has them, `@` included; empty where there are none."""
        if self.username is None:
            return ""
        password = "" if self.password is None else f":{quote(self.password, safe='')}"
        return f"{quote(self.username, safe='')}{password}@"

    def quoted(self) -> str:
        """The same URL as any other reader of URLs understands it."""
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{self.user_info}{self.hosts}{self.path}{query}"


def taken_apart(url: str) -> SecretUrl | None:
    """The parts of a URL; None for what is none. A query may not hold an `@` but as `%40`."""
    found = _SCHEME.fullmatch(url)
    if found is None:
        return None
    user_info, at, rest = found["rest"].rpartition("@")
    username, colon, password = user_info.partition(":")
    parts = _HOSTS.fullmatch(rest)
    assert parts is not None  # noqa: S101 - it matches every text
    return SecretUrl(
        scheme=found["scheme"].lower(),
        username=unquote(username) if at else None,
        password=unquote(password) if colon else None,
        hosts=parts["hosts"],
        path=parts["path"],
        query=parts["query"] or "",
    )


def without_password(url: str) -> str:
    """The URL for people: its password is `***`, as are parameters that are secret by their name.

    What looks like a port and is none may be a password without a host behind it.
    """
    parts = taken_apart(url)
    if parts is None:
        return url
    user_info = ""
    if parts.username is not None:
        user_info = quote(parts.username, safe="")
        user_info += "@" if parts.password is None else f":{_MASK}@"
    hosts = ",".join(_shown(host) for host in parts.hosts.split(","))
    query = _SECRET_PARAMETER.sub(rf"\1={_MASK}", f"?{parts.query}") if parts.query else ""
    return f"{parts.scheme}://{user_info}{hosts}{parts.path}{query}"


def _shown(host: str) -> str:
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]") or _PORT.fullmatch(port):
        return host
    return f"{name}:{_MASK}"
