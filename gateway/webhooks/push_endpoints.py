"""Makes endpoints that work out of the settings, or names every fault in them. Does no I/O."""

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from fnmatch import translate
from hmac import HMAC
from typing import Final
from urllib.parse import unquote, urlsplit

from msgspec import Struct
from yarl import URL

from gateway.contract import Event, OtherEvent
from gateway.errors import OperatorError, SettingsError
from gateway.network_fence import Fence
from gateway.secret_references import resolve_secret
from gateway.settings import EndpointSettings, RelaySettings
from gateway.webhooks.webhook_signatures import secret_key, signing_key

__all__ = ["PushEndpoint", "endpoint_of", "endpoints_of", "fence_of", "group_of"]

_GROUP: Final = "relay-"
_NO_NAME: Final = re.compile(r"""[\s"'%<>]""")


class PushEndpoint(Struct, frozen=True, eq=False):
    """A service that events are pushed to: where, as whom, signed by what, and which of them.

    `url` has no account in it; what was there is the header `authorization`. Neither is for logs.
    """

    name: str
    url: str
    authorization: str | None
    keys: tuple[HMAC, ...]
    takes: Callable[[Event], bool]
    settings: EndpointSettings

    @property
    def group(self) -> str:
        """Its consumer group."""
        return group_of(self.name)


def group_of(name: str) -> str:
    """The consumer group of an endpoint."""
    return f"{_GROUP}{name}"


def endpoint_of(group: str) -> str | None:
    """The endpoint whose consumer group this is; None for another one."""
    return group.removeprefix(_GROUP) if group.startswith(_GROUP) else None


def fence_of(relay: RelaySettings) -> Fence:
    """The fence that endpoints are behind. Raises OperatorError for a network that is none."""
    return Fence(section="relay", allow_private=relay.allow_private, networks=relay.allow_networks)


def endpoints_of(relay: RelaySettings) -> tuple[PushEndpoint, ...]:
    """The endpoints in their order; raises OperatorError with a line for each fault, no secrets."""
    faults: list[str] = []
    endpoints: list[PushEndpoint] = []
    fence = fence_of(relay)
    for number, one in enumerate(relay.endpoints):
        if one.name in {other.name for other in relay.endpoints[:number]}:
            faults.append(f"[[relay.endpoints]] {one.name} name: two endpoints have this name")
        try:
            endpoints.append(_endpoint(one, fence))
        except OperatorError as fault:
            faults.append(str(fault))
    if faults:
        raise OperatorError("\n".join(dict.fromkeys(faults)))
    return tuple(endpoints)


def _endpoint(one: EndpointSettings, fence: Fence) -> PushEndpoint:
    key = f"[[relay.endpoints]] {one.name}"
    url, authorization = _address(resolve_secret(one.url, name=f"{key} url"), key, fence)
    return PushEndpoint(
        name=one.name,
        url=url,
        authorization=authorization,
        keys=tuple(
            signing_key(_secret_of(secret, name=f"{key} secrets[{number}]"))
            for number, secret in enumerate(one.secrets, 1)
        ),
        takes=_taking(one.types, frozenset(one.portals)),
        settings=one,
    )


def _secret_of(setting: str, *, name: str) -> bytes:
    return secret_key(resolve_secret(setting, name=name), name=name)


def _address(url: str, key: str, fence: Fence) -> tuple[str, str | None]:
    """The URL without the account that stands in it, and that account as Basic authentication."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in {"http", "https"} or not host or port == 0 or parts.fragment:
        raise SettingsError(
            f"{key} url: https://host/path is meant, or http:// in a private network"
        )
    if not _can_be_looked_up(url):
        raise SettingsError(f"{key} url: no host can have such a name")
    if not fence.allows_host(host):
        raise SettingsError(
            f"{key} url: this machine or a private network, which [relay] allow_private forbids"
        )
    account = parts.username is not None or parts.password is not None
    authorization = None
    if account:
        pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        authorization = f"Basic {b64encode(pair.encode()).decode()}"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), authorization


def _can_be_looked_up(url: str) -> bool:
    """Whether the URL's host is one that a resolver can be asked for, read as it will be then."""
    try:
        host = URL(url).raw_host or ""
        host.encode("idna")  # what Python does before it asks, and fails at with no OSError
    except ValueError:
        return False
    return _NO_NAME.search(host) is None


def _taking(types: Sequence[str], portals: frozenset[str]) -> Callable[[Event], bool]:
    """Whether an endpoint wants an event. Types are few, and their answers are kept."""
    pattern = re.compile("|".join(translate(one) for one in types))
    known: dict[str, bool] = {}

    def takes(event: Event) -> bool:
        is_wanted = known.get(event.type)
        if is_wanted is None:
            is_wanted = pattern.match(event.type) is not None
            if len(known) < 1000:  # types come from outside, and must not fill the memory
                known[event.type] = is_wanted
        return is_wanted and (not portals or not portals.isdisjoint(_portal_names(event)))

    return takes


def _portal_names(event: Event) -> tuple[str, ...]:
    """What a condition on the portal may call the event's portal."""
    if isinstance(event, OtherEvent):
        return (event.source.rpartition(":")[2],)
    return (event.data.member_id, event.data.domain)
