"""Decides which events somebody means who names a portal, a type, a subject or an id."""

import re
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from msgspec import Struct

from gateway.contract.event_json import Event
from gateway.contract.event_type import ENTITY_TYPE_ID
from gateway.contract.event_types import EVENT_TYPES
from gateway.contract.events import OtherEvent

__all__ = ["EventSelection", "is_of_type"]

_NAMES: Final = ("portal", "type", "subject", "event_id")
_NUMBER: Final = re.compile(r"(?<=\.)[0-9]+(?=\.)")
_TYPED: Final = {row.type: (row.short_name, row.documented_name) for row in EVENT_TYPES}


class EventSelection(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which events are meant: those that are all of what is given; nothing given: all of them.

    `portal` is a member id or a domain. `type` may leave out `bitrix24.` and `crm.timeline.`, or
    be what else a person calls it, as `deal.updated` and `onCrmDealUpdate`; `*` in it stands for
    anything. `subject` is as `comment/7`.
    """

    portal: str | None = None
    type: str | None = None
    subject: str | None = None
    event_id: str | None = None

    def __str__(self) -> str:
        """As `portal=acme.bitrix24.com type=comment.updated`; `*` for all."""
        given = ((name, getattr(self, name)) for name in _NAMES)
        return " ".join(f"{name}={value}" for name, value in given if value is not None) or "*"

    @property
    def is_everything(self) -> bool:
        """Whether all events are meant."""
        return self == _EVERYTHING

    def has(self, event: Event) -> bool:
        """Whether an event is meant."""
        return (
            self.event_id in (None, event.id)
            and self.subject in (None, event.subject)
            and (self.portal is None or self.portal in _portal_names(event))
            and (self.type is None or is_of_type(event.type, self.type))
        )


_EVERYTHING: Final = EventSelection()


def is_of_type(event_type: str, pattern: str) -> bool:
    """Whether a type is meant by a pattern, as EventSelection has it."""
    return any(fnmatchcase(name, pattern) for name in _names_of(event_type))


@lru_cache(maxsize=1024)  # types come from outside, and must not fill the memory
def _names_of(event_type: str) -> tuple[str, ...]:
    """What a type may be called; that of a smart process has a number in it."""
    without_vendor = event_type.removeprefix("bitrix24.")
    return (
        *(event_type, without_vendor, without_vendor.removeprefix("crm.timeline.")),
        *_TYPED.get(_NUMBER.sub(ENTITY_TYPE_ID, event_type), ()),
    )


def _portal_names(event: Event) -> tuple[str, ...]:
    if isinstance(event, OtherEvent):
        return (event.source.rpartition(":")[2],)
    return (event.data.member_id, event.data.domain)
