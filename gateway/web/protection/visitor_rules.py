"""Decides who asks, and what they may do: by a token, a session, a trusted proxy, or this machine.

| Set | Who may look | Who may change |
|---|---|---|
| nothing | browsers on this machine, without a proxy between | nobody |
| `token` | who has it | nobody |
| `operator_token` | who has it | who has it |
| `user_header`, `trusted_proxies` | whom such a proxy names | those of them in `operators` |

Does no I/O but for reading the files of secrets at its start.
"""

import hashlib
import hmac
from typing import Final, Literal

from msgspec import Struct
from multidict import MultiMapping

from gateway.errors import OperatorError
from gateway.settings import ConsoleSettings, resolve_secret
from gateway.web.protection.client_address import Network, Networks, address_of, network_of
from gateway.web.protection.session_cookie import ConsoleRole, ConsoleSession, SessionSigner

__all__ = ["ConsoleVisitor", "VisitorRules"]

_LEAST_LENGTH: Final = 16
_LONGEST_NAME: Final = 100
_FORWARDED: Final = frozenset({"forwarded", "x-real-ip", "via"})
_FORWARDED_PREFIX: Final = "x-forwarded-"


class ConsoleVisitor(Struct, frozen=True, kw_only=True):
    """Who asks. `name` is what the proxy or the visitor says, `address` where the request is from.

    `by` says what lets them in.
    """

    role: ConsoleRole
    name: str
    by: Literal["this machine", "token", "session", "proxy"]
    address: str

    @property
    def is_operator(self) -> bool:
        """Whether they may change something."""
        return self.role == "operator"


class VisitorRules:
    """Knows the tokens and proxies of the settings."""

    def __init__(self, settings: ConsoleSettings) -> None:
        """Raises OperatorError for what cannot be read, or lets in whom it should not."""
        viewer = _token(settings.token, "token")
        operator = _token(settings.operator_token, "operator_token")
        if viewer is not None and viewer == operator:
            raise OperatorError("[console] token and operator_token must differ")
        self._tokens: dict[ConsoleRole, bytes] = {}
        if viewer is not None:
            self._tokens["viewer"] = _digest(viewer)
        if operator is not None:
            self._tokens["operator"] = _digest(operator)
        self._signer = SessionSigner(viewer or "", operator or "")
        self._header = settings.user_header
        self._proxies = _proxies(settings)
        self._operators = frozenset(settings.operators)
        self._session_s = settings.session_s

    @property
    def has_tokens(self) -> bool:
        """Whether somebody can be let in by a token."""
        return bool(self._tokens)

    @property
    def may_be_changed(self) -> bool:
        """Whether anybody could change something."""
        return "operator" in self._tokens or bool(self._header and self._operators)

    def visitor(
        self, peer: str | None, headers: MultiMapping[str], cookie: str | None, *, now: float
    ) -> ConsoleVisitor | None:
        """Who asks; None for who may not even look. Names of `headers` are
        found in any case.
        """
        address = address_of(peer or "")
        at = str(address or "unknown")
        if self._header and address is not None and address in self._proxies:
            names = headers.getall(self._header, [])
            # Of several, one may be the client's own.
            if len(names) == 1 and (name := _readable(names[0]).strip()[:_LONGEST_NAME]):
                role: ConsoleRole = "operator" if name in self._operators else "viewer"
                return ConsoleVisitor(role=role, name=name, by="proxy", address=at)
        elif not self._tokens and not self._header:
            is_here = address is not None and address.is_loopback
            if is_here and not any(map(_is_of_proxy, headers)):
                return ConsoleVisitor(role="viewer", name="", by="this machine", address=at)
        if known := self.role_of(_bearer(headers.get("Authorization", ""))):
            return ConsoleVisitor(role=known, name="", by="token", address=at)
        session = self._signer.read(cookie, now=now) if cookie else None
        if session is not None and session.role in self._tokens:
            return ConsoleVisitor(role=session.role, name=session.name, by="session", address=at)
        return None

    def role_of(self, token: str) -> ConsoleRole | None:
        """What a token lets do; takes the same time for a wrong one, however wrong."""
        given = _digest(token)
        found: ConsoleRole | None = None
        for role, digest in self._tokens.items():
            if hmac.compare_digest(given, digest):
                found = role
        return found

    def session(self, token: str, name: str, *, now: float) -> tuple[str, int] | None:
        """The cookie for a browser in which a right token was given, and its seconds; else None."""
        role = self.role_of(token.strip())
        if role is None:
            return None
        age = int(self._session_s)
        name = " ".join(name.split())[:_LONGEST_NAME]
        session = ConsoleSession(role=role, name=name, until=int(now) + age)
        return self._signer.written(session), age


def _token(given: str, key: str) -> str | None:
    if not given:
        return None
    token = resolve_secret(given, name=f"[console] {key}")
    if len(token) < _LEAST_LENGTH:
        raise OperatorError(f"[console] {key} must have {_LEAST_LENGTH} characters or more")
    return token


def _proxies(settings: ConsoleSettings) -> Networks:
    if settings.user_header and not settings.trusted_proxies:
        raise OperatorError(
            "[console] user_header is believed of [console] trusted_proxies alone: name them"
        )
    return Networks([_network(text) for text in settings.trusted_proxies])


def _network(text: str) -> Network:
    network = network_of(text)
    if network is None:
        raise OperatorError(
            f"[console] trusted_proxies: {text} is neither an address nor a network"
        )
    return network


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


def _is_of_proxy(name: str) -> bool:
    name = name.lower()
    return name in _FORWARDED or name.startswith(_FORWARDED_PREFIX)


def _readable(value: str) -> str:
    """A header without the bytes that are no UTF-8, which could not be written anywhere."""
    return value.encode(errors="surrogateescape").decode(errors="replace")


def _bearer(header: str) -> str:
    kind, _, token = header.partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""
