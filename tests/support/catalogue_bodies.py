"""The bodies of tests/wire/catalogue: at least one of each event that Bitrix24 documents.

PHP makes them of the sandbox's trees, by `make.php` there; what a form must be read as is told by
its tree.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from gateway.contract import EventType
from gateway.contract.catalogue import CATALOGUE
from gateway.sandbox.event_data import EVENT_TREES

__all__ = ["FOLDER", "MEMBER_ID", "PORTAL_DOMAIN", "TOKEN", "CatalogueBody", "catalogue_bodies"]

FOLDER: Final = Path(__file__).parents[1] / "wire" / "catalogue"
MEMBER_ID: Final = "010b6886ebc205e43ae65000ee00addb"
PORTAL_DOMAIN: Final = "acme.bitrix24.com"
TOKEN: Final = "fake0application0token"

_TOKENS: Final = "@tokens"
_ROWS: Final = {row.documented_name: row for row in CATALOGUE}


class CatalogueBody(Struct, frozen=True, kw_only=True):
    """A body, of which event it is, and what it says under `data`."""

    name: str
    row: EventType
    tree: Any

    @property
    def body(self) -> bytes:
        """As it is sent."""
        return (FOLDER / "bodies" / f"{self.name}.form").read_bytes()

    @property
    def data(self) -> Any:
        """What is under `data` beside tokens, as PHP's forms have it; None if nothing is."""
        return _as_sent(self.tree)


@cache
def catalogue_bodies() -> tuple[CatalogueBody, ...]:
    """All, in the order of the trees."""
    return tuple(
        CatalogueBody(name=name, row=_ROWS[name.partition("@")[0]], tree=tree)
        for path in sorted(EVENT_TREES.glob("*.json"))
        for name, tree in json.loads(path.read_text(encoding="utf-8")).items()
    )


def _as_sent(tree: Any) -> Any:
    """Text at the leaves, and nothing where PHP's http_build_query writes nothing."""
    match tree:
        case dict() | list():
            kept = dict(_kept(tree))
            if not kept:
                return None
            return list(kept.values()) if isinstance(tree, list) else kept
        case bool():
            return str(int(tree))
        case None:
            return None
        case _:
            return str(tree)


def _kept(tree: dict[str, Any] | list[Any]) -> Iterator[tuple[Any, Any]]:
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if key != _TOKENS and (sent := _as_sent(value)) is not None:
            yield key, sent
