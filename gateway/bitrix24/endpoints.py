"""Checks addresses that calls go to, and makes the address of a method; no I/O."""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

__all__ = ["endpoint_of", "is_local", "method_name", "method_url", "webhook_code"]

_METHOD: Final = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_WEBHOOK: Final = re.compile(r"/rest/[1-9][0-9]*/(?P<code>[A-Za-z0-9]+)/")


def endpoint_of(url: str, *, may_be_local: bool = True) -> str:
    """The base of a portal's methods, ending in a slash.

    Raises ValueError, which does not show the URL, for what is neither `https` nor a server on
    this machine, and for user names, queries and fragments in it; unless it `may_be_local`, for
    every server on this machine.
    """
    try:
        place = urlsplit(url)
        is_plain_local = place.scheme == "http" and place.hostname in _LOOPBACK
        is_fine = (
            bool(place.hostname)
            and (place.scheme == "https" or is_plain_local)
            and (place.port is None or place.port > 0)
            and not (place.username or place.password or place.query or place.fragment)
            and bool((place.hostname or "").encode("idna"))  # as a resolver is asked
        )
    except ValueError:
        is_fine = False
    if not may_be_local and is_fine and is_local(url):
        is_fine = False
    if not is_fine or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("not an https URL of a portal")
    return url if url.endswith("/") else f"{url}/"


def is_local(url: str) -> bool:
    """Whether a URL names this machine: by its name, or by an address that no other one has."""
    host = urlsplit(url).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def webhook_code(endpoint: str) -> str:
    """The secret part of an inbound webhook's URL, `https://<portal>/rest/<user>/<code>/`.

    Raises ValueError, which does not show the URL, if it is none.
    """
    found = _WEBHOOK.fullmatch(urlsplit(endpoint).path)
    if found is None:
        raise ValueError("not the URL of an inbound webhook")
    return found["code"]


def method_name(method: str) -> str:
    """The name as it is; raises ValueError for what is no method's name."""
    if not _METHOD.fullmatch(method):
        raise ValueError(f"{method!r} is no method's name")
    return method


def method_url(endpoint: str, method: str) -> str:
    """Where a method is called; raises ValueError for what is no method's name."""
    return f"{endpoint}{method_name(method)}.json"
