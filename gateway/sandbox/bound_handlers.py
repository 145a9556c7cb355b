"""Knows which handlers a portal tells of which events; no I/O.

https://apidocs.bitrix24.com/api-reference/events/event-bind.html
"""

import secrets
from collections.abc import Iterator, Sequence
from itertools import count

from msgspec import Struct

from gateway.sandbox.bodies import EVENTS

__all__ = ["OFFLINE_EVENT", "AlreadyBound", "Bindings", "HandlerBinding", "event_named", "names_of"]

_EVENT_OF = {kind.name.upper(): event for event, kind in EVENTS.items() if kind.name}

OFFLINE_EVENT = EVENTS["offline.signal"].name.upper()


def event_named(name: str) -> str | None:
    """The event of gateway.sandbox.bodies that has this name on the wire; None if none has it.

    Those of smart processes have a second name for each: with `_` and its number.
    """
    event = _EVENT_OF.get(name)
    if event is not None:
        return event
    first, _, number = name.rpartition("_")
    event = _EVENT_OF.get(first, "")
    row = EVENTS[event].row if event else None
    return event if row is not None and row.entity_type_places and number.isdecimal() else None


def names_of(event: str, entity_type_id: int | None) -> tuple[str, ...]:
    """The names under which an event is told; `entity_type_id` is that of the smart process."""
    name = EVENTS[event].name.upper()
    return (name,) if entity_type_id is None else (name, f"{name}_{entity_type_id}")


class AlreadyBound(Exception):
    """The same handler is registered for the same event and user, or the same source."""


class HandlerBinding(Struct, frozen=True, kw_only=True):
    """A registration; `id` is what events name as `event_handler_id`.

    `client_id` is empty for an outgoing webhook, which has a token of its own. `user_id` is whose
    tokens events carry, 0 for those of whoever acted. An offline one has no handler.
    """

    id: int
    event: str
    handler: str = ""
    client_id: str = ""
    webhook_token: str = ""
    user_id: int = 0
    is_offline: bool = False
    connector: str = ""
    min_timeout_s: int = 1


class Bindings:
    """Keeps all registrations of a portal."""

    def __init__(self) -> None:
        self._bindings: list[HandlerBinding] = []
        self._ids = count(183)

    def add(
        self,
        event: str,
        *,
        handler: str = "",
        client_id: str = "",
        webhook_token: str = "",
        user_id: int = 0,
        is_offline: bool = False,
        connector: str = "",
        min_timeout_s: int = 1,
    ) -> HandlerBinding:
        """Register; raises AlreadyBound."""
        binding = HandlerBinding(
            id=next(self._ids),
            event=event,
            handler=handler,
            client_id=client_id,
            webhook_token=webhook_token,
            user_id=user_id,
            is_offline=is_offline,
            connector=connector,
            min_timeout_s=min_timeout_s,
        )
        if any(_identity(one) == _identity(binding) for one in self._bindings):
            raise AlreadyBound
        self._bindings.append(binding)
        return binding

    def add_outgoing_webhook(self, handler_url: str, events: Sequence[str]) -> str:
        """Register a new webhook for `events`, as `comment.updated`, and give its token."""
        token = f"fakewebhooktoken{secrets.token_hex(8)}"
        for name, event in _EVENT_OF.items():
            if event in events:
                self.add(name, handler=handler_url, webhook_token=token)
        return token

    def of(self, client_id: str) -> list[HandlerBinding]:
        """What an application has registered."""
        return [one for one in self._bindings if one.client_id == client_id]

    def to_tell(self, event: str, *, is_offline: bool = False) -> Iterator[HandlerBinding]:
        """Whom to tell of an event, in the order of registration."""
        for binding in self._bindings:
            if (binding.event, binding.is_offline) == (event, is_offline):
                yield binding

    def remove(self, bindings: list[HandlerBinding]) -> None:
        """Strike these."""
        self._bindings = [one for one in self._bindings if one not in bindings]


def _identity(binding: HandlerBinding) -> tuple[object, ...]:
    return (
        binding.client_id,
        binding.webhook_token,
        binding.event,
        binding.is_offline,
        binding.handler,
        binding.user_id,
        binding.connector,
    )
