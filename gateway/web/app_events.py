"""Answers deliveries that are about nothing with an id, off the receiver's usual path."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from aiohttp import web

from gateway.contract import (
    APP_INSTALLED,
    APP_UNINSTALLED,
    AppEvent,
    CloudEvent,
    Streams,
    encode_event,
    wire_name_of,
)
from gateway.inbound.admission import OFFLINE_SIGNAL, Admitted, Ignored
from gateway.inbound.delivery import Delivery
from gateway.inbound.errors import Forbidden
from gateway.installation.errors import NotConfirmed
from gateway.installation.lifecycle import Lifecycle
from gateway.portals.offline_signalling import OfflineSignals
from gateway.publishing.batch import Stored
from gateway.web.fixed_answers import answer, forbidden, stored_answer, unavailable
from gateway.web.missing_ids import MissingIds
from gateway.web.unstored_values import count_unstored

__all__ = ["AppEvents", "EventSink"]

_INSTALLED: Final = wire_name_of(APP_INSTALLED)


class EventSink(Protocol):
    """Where admitted events are stored."""

    def publish(self, event: bytes, partition: int) -> Awaitable[Stored]:
        """Store an event and say where it is; the call or waiting for it raises Unavailable."""
        ...


class AppEvents:
    """Answers deliveries that an application is told of itself, that do not say what they are
    about, or that nobody asked for.

    It counts the events of each portal in `counts`, as the receiver does all others.
    """

    def __init__(
        self,
        sink: EventSink,
        streams: Streams,
        *,
        lifecycle: Lifecycle,
        signals: OfflineSignals,
        counts: dict[str, int],
        encode: Callable[[CloudEvent], bytes] = encode_event,
    ) -> None:
        self._counts = counts
        self._sink = sink
        self._streams = streams
        self._lifecycle = lifecycle
        self._signals = signals
        self._encode = encode
        self._missing_ids = MissingIds()

    async def genuine(self, verdict: Admitted | Ignored, delivery: Delivery) -> web.Response:
        """The answer to a portal; raises publishing's Unavailable."""
        if isinstance(verdict, Ignored):
            if verdict.reason == OFFLINE_SIGNAL:
                self._signals.note(verdict.member_id)
            return answer(200, "ignored", "ignored", verdict.reason, event_id=delivery.receipt_id)
        self._counts[verdict.member_id] = self._counts.get(verdict.member_id, 0) + 1
        event = verdict.event
        if verdict.lacks_id:
            self._missing_ids.note(verdict)
        count_unstored(verdict)
        if isinstance(event, AppEvent) and event.type == APP_UNINSTALLED:
            stored = await self._lifecycle.uninstalled(delivery, event)
            return stored_answer(delivery.receipt_id, stored)
        response = await self._stored(verdict, delivery)
        if event.type == APP_INSTALLED:  # again: its token is registered
            await self._lifecycle.reinstalled(delivery)
        return response

    async def _stored(self, verdict: Admitted, delivery: Delivery) -> web.Response:
        partition = self._streams.partition_of(verdict.member_id, verdict.subject)
        stored = await self._sink.publish(self._encode(verdict.event), partition)
        return stored_answer(delivery.receipt_id, stored)

    async def unknown(
        self, error: Forbidden, delivery: Delivery, *, client: Callable[[], str]
    ) -> web.Response | None:
        """The answer to whom no registered token lets in, if an installation is claimed.

        `client` says what stands for the sender.
        """
        lifecycle = self._lifecycle
        if not lifecycle.can_install or error.event.upper() != _INSTALLED:
            return None
        about: dict[str, Any] = {
            "event_id": delivery.receipt_id,
            "member_id": error.member_id[:64],
        }
        try:
            progress = await lifecycle.installed(delivery, client=client())
        except NotConfirmed as refusal:
            return forbidden("not_confirmed", why=refusal.reason, **about)
        if progress == "done":
            return stored_answer(delivery.receipt_id, Stored.STREAM)
        return unavailable("installation_" + progress, **about)
