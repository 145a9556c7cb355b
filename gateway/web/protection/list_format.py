"""Reads the networks in a published list of senders, whatever its form. Pure.

Bitrix24 publishes the addresses that deliveries come from as JSON, `{"nodes": ["192.0.2.1", …]}`:
https://dl.bitrix24.com/webhook/app-world.json (https://apidocs.bitrix24.com/ says of it: look every
five to ten minutes, never more than once a minute; an address is listed before it is used). The
form is nobody's promise, so every text in the JSON that is an address or a network counts.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from gateway.web.protection.client_address import Network, Networks, network_of

__all__ = ["networks_in"]

_BETWEEN: Final = re.compile(r"[\s,;]+")
_COMMENT: Final = re.compile(r"#.*")
_MAX_DEPTH: Final = 32


def networks_in(content: bytes) -> Networks:
    """The addresses and networks of a JSON document, or else of a text with `#` comments."""
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        text = _COMMENT.sub("", content.decode("utf-8", "replace"))
        words: Iterator[str] = iter(_BETWEEN.split(text))
    else:
        words = _texts(document, _MAX_DEPTH)
    return Networks(_networks(words))


def _texts(node: Any, depth: int) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict | list) and depth:
        for item in (*node, *node.values()) if isinstance(node, dict) else node:
            yield from _texts(item, depth - 1)


def _networks(words: Iterator[str]) -> Iterator[Network]:
    return (network for word in words if (network := network_of(word)) is not None)
