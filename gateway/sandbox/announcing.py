"""Tells the handlers that are to hear of it about a change in a portal.

What one request changes is told at its end, and the same thing only once. Both as in the portal's
code, and so is that an application does not find its own changes in its offline queue: those made
with the source that it bound. (The documentation says this of named sources only.)
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import msgspec
from msgspec import Struct

from gateway.sandbox.bodies import EVENTS, Form, body_of
from gateway.sandbox.bound_handlers import (
    OFFLINE_EVENT,
    Bindings,
    HandlerBinding,
    event_named,
    names_of,
)
from gateway.sandbox.event_data import SubjectId, data_of
from gateway.sandbox.grants import MAX_HOPS
from gateway.sandbox.offline_queue import OfflineQueue
from gateway.sandbox.php_form import Value
from gateway.sandbox.portal import PortalIdentity

__all__ = ["Actor", "Announce", "Announcer"]


class Actor(Struct, frozen=True, kw_only=True):
    """Who did something: a user, in the portal or by an application, or nobody in particular.

    Robots and agents are nobody: user 0. `connector` is the source that the application named;
    `hops` are the events that this may still lead to.
    """

    user_id: int = 0
    client_id: str = ""
    connector: str = ""
    hops: int = MAX_HOPS


class Announce(Protocol):
    """Tells of a change."""

    def __call__(
        self,
        event: str,
        subject_id: SubjectId,
        actor: Actor,
        *,
        entity_type_id: int | None = None,
    ) -> None:
        """Say what happened (as `comment.added`) to which one, and who did it.

        `entity_type_id` is the type of a smart process, for the events of its items.
        """


class _Change(Struct, frozen=True):
    event: str
    data: Value
    actor: Actor
    names: tuple[str, ...]

    @property
    def identity(self) -> tuple[str, bytes, Actor]:
        """What is equal for the same thing."""
        return self.event, msgspec.json.encode(self.data), self.actor


class Announcer:
    """Tells of what happens in one portal.

    `sender_of` gives what the portal and a user put into the request to a handler, or None if its
    application is not installed (any more); `put` sends a request, given its event, URL and body.
    """

    def __init__(
        self,
        *,
        bindings: Bindings,
        offline: OfflineQueue,
        sender_of: Callable[[HandlerBinding, Actor], PortalIdentity | None],
        put: Callable[[str, str, bytes], None],
        clock: Callable[[], float],
    ) -> None:
        self._bindings = bindings
        self._offline = offline
        self._sender_of = sender_of
        self._put = put
        self._clock = clock
        self._hit: list[_Change] | None = None
        self._signalled_at: dict[int, float] = {}

    @contextmanager
    def hit(self) -> Iterator[None]:
        """One request to the portal, at whose end its changes are told."""
        if self._hit is not None:
            yield
            return
        changes = self._hit = []
        try:
            yield
        finally:
            self._hit = None
            self._tell_all(changes)

    def changed(
        self,
        event: str,
        subject_id: SubjectId,
        actor: Actor,
        *,
        entity_type_id: int | None = None,
    ) -> None:
        """Something was changed, as `Announce` says it."""
        row = EVENTS[event].row
        assert row is not None  # noqa: S101 - portals are told of nothing else
        said = data_of(row, subject_id, entity_type_id=entity_type_id)
        with self.hit():
            assert self._hit is not None  # noqa: S101 - for the type checker
            self._hit.append(_Change(event, said, actor, names_of(event, entity_type_id)))

    def tell(self, binding: HandlerBinding, actor: Actor, *, data: Value = None) -> None:
        """Tell a handler of a lifecycle event, whoever else has bound it."""
        sender = self._sender_of(binding, actor)
        if sender is not None:
            event = event_named(binding.event)
            assert event is not None  # noqa: S101 - others cannot be bound
            body = body_of(
                event, portal=sender, ts=int(self._clock()), handler_id=binding.id, data=data
            )
            self._send(event, binding, body)

    def _tell_all(self, changes: list[_Change]) -> None:
        queued: dict[str, Actor] = {}
        for change in {one.identity: one for one in changes}.values():
            if change.actor.hops <= 0:
                continue
            for name in change.names:
                for binding in self._bindings.to_tell(name):
                    self._tell_change(binding, change)
                for binding in self._bindings.to_tell(name, is_offline=True):
                    if self._queue(binding, change):
                        queued[binding.client_id] = change.actor
        for client_id, actor in queued.items():
            self._signal(client_id, actor)

    def _queue(self, binding: HandlerBinding, change: _Change) -> bool:
        """Put a change into an application's queue, if it did not make it; whether it is there."""
        if (change.actor.client_id, change.actor.connector) == (
            binding.client_id,
            binding.connector,
        ):
            return False
        self._offline.put(
            binding.client_id,
            binding.connector,
            binding.event,
            change.data,
            change.actor.user_id,
        )
        return True

    def _tell_change(self, binding: HandlerBinding, change: _Change) -> None:
        sender = self._sender_of(binding, change.actor)
        if sender is None:
            return
        form: Form = "webhook"
        if binding.client_id:
            form = "app" if sender.access_token else "app-without-tokens"
        self._send(
            change.event,
            binding,
            body_of(
                change.event,
                portal=sender,
                ts=int(self._clock()),
                form=form,
                handler_id=binding.id,
                data=change.data,
                name=binding.event,
            ),
        )

    def _signal(self, client_id: str, actor: Actor) -> None:
        """Say that something is queued; within the handler's time-out this is dropped, not late."""
        for binding in self._bindings.to_tell(OFFLINE_EVENT):
            now = self._clock()
            since_s = now - self._signalled_at.get(binding.id, float("-inf"))
            if binding.client_id == client_id and since_s >= binding.min_timeout_s:
                self._signalled_at[binding.id] = now
                self.tell(binding, actor)

    def _send(self, event: str, binding: HandlerBinding, body: bytes) -> None:
        self._put(event, binding.handler, body)
