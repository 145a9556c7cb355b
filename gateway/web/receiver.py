"""Handles what Bitrix24 sends to the public port, and gives the fixed answers to it.

The body is read once, as bytes. Every request is answered by the table of docs/http.md and counted
by outcome and reason; nothing that a sender can do makes the handler raise.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from time import time_ns
from typing import Any, Final

import structlog
from aiohttp import web
from uuid_utils import uuid7

from gateway.contract import CloudEvent, Streams, encode_event
from gateway.inbound.admission import WRONG_TOKEN, Admission, Admitted
from gateway.inbound.delivery import Delivery
from gateway.inbound.errors import Forbidden, Malformed
from gateway.inbound.form import FormError
from gateway.inbound.form_fields import extract
from gateway.installation.event_tokens import EventTokens
from gateway.publishing.errors import CannotStore
from gateway.settings import HttpSettings
from gateway.web.app_events import AppEvents, EventSink
from gateway.web.fixed_answers import (
    answer,
    answer_to_a_look,
    forbidden,
    last_answer,
    stored_answer,
    unavailable,
)
from gateway.web.install_page import InstallPage
from gateway.web.late_bodies import LateBodies, is_expectation_unknown
from gateway.web.protection.guard import Guard, clients_of
from gateway.web.quarantining import Quarantining
from gateway.web.unavailability import Unavailability
from gateway.web.unstored_values import count_unstored

__all__ = ["Receiver"]

log: Any = structlog.get_logger(__name__)

_FORM: Final = "application/x-www-form-urlencoded"


class Receiver:
    """Handles everything that comes in on the public port.

    It counts the events of each portal in `counts`. `bodies` are those that are on their way.
    """

    def __init__(
        self,
        admission: Admission,
        sink: EventSink,
        streams: Streams,
        settings: HttpSettings,
        *,
        app_events: AppEvents,
        event_tokens: EventTokens | None,
        guard: Guard | None,
        page: InstallPage | None,
        quarantine: Quarantining | None,
        counts: dict[str, int],
        unavailability: Unavailability,
        encode: Callable[[CloudEvent], bytes] = encode_event,
    ) -> None:
        self._admit = admission.admit
        self._sink = sink
        self._streams = streams
        self._app_events = app_events
        self._event_tokens = event_tokens
        self._guard = guard
        self._page = page
        self._quarantine = quarantine
        self._counts = counts
        self._unavailability = unavailability
        self._encode = encode
        self._path = settings.path
        self._max_body_bytes = settings.max_body
        self._clients = clients_of(settings)
        self.bodies = LateBodies(settings)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        if (early := self._answer_to_head(request)) is not None:
            response = early if isinstance(early, web.Response) else await early
            if "Expect" in request.headers:
                response.force_close()  # whether the body comes after all, nobody can tell
            return response
        if request.content.is_eof():  # it came with the head: the usual case
            body = request.content.read_nowait()
            if len(body) > self._max_body_bytes:
                return last_answer(413, "too large", "too_large")
        else:
            read = await self._read(request)
            if isinstance(read, web.Response):
                return read
            body = read
        receipt_id = str(uuid7())
        received_ms = time_ns() // 1_000_000
        try:
            verdict = self._admit(extract(body), receipt_id=receipt_id, received_ms=received_ms)
            if not isinstance(verdict, Admitted) or verdict.subject.id is None:
                delivery = Delivery(verdict.member_id, receipt_id, received_ms, body)
                return await self._app_events.genuine(verdict, delivery)
            try:
                self._counts[verdict.member_id] += 1
            except KeyError:
                self._count_first(verdict.member_id, body)
            count_unstored(verdict)
            partition = self._streams.partition_of(verdict.member_id, verdict.subject)
            stored = await self._sink.publish(self._encode(verdict.event), partition)
        except Forbidden as error:
            delivery = Delivery(error.member_id, receipt_id, received_ms, body)
            return await self._refused(error, delivery, request)
        except (FormError, Malformed) as error:
            return answer(400, "bad request", "malformed", error.reason, event_id=receipt_id)
        except CannotStore as error:
            return self._unavailability.answer(error.reason, verdict, event_id=receipt_id)
        except Exception:
            log.exception("delivery failed", event_id=receipt_id)
            return unavailable("internal", event_id=receipt_id)
        self._unavailability.stored()
        return stored_answer(receipt_id, stored)

    async def _read(self, request: web.BaseRequest) -> bytes | web.Response:
        """The body that is still on its way, or the answer if it does not come as it should."""
        try:
            return await self.bodies.read(request)
        except web.HTTPRequestEntityTooLarge:
            return last_answer(413, "too large", "too_large")
        except TimeoutError:
            return last_answer(408, "too slow", "slow_body")
        except (ConnectionError, web.RequestPayloadError):
            # The client went, or its chunks are none; whether anybody reads this or not.
            return last_answer(400, "bad request", "cut_body")

    async def _refused(
        self, error: Forbidden, delivery: Delivery, request: web.BaseRequest
    ) -> web.Response:
        """Refuse whoever is not a registered portal, unless one is about to be: an installation.

        What may be a registered portal's after all is kept.
        """
        event_id, member_id = delivery.receipt_id, error.member_id[:64]
        try:
            client = partial(self._client_of, request)
            response = await self._app_events.unknown(error, delivery, client=client)
        except Exception:
            log.exception("installation failed", event_id=event_id, member_id=member_id)
            return unavailable("internal", event_id=event_id)
        if response is not None:
            return response
        if error.reason == WRONG_TOKEN and self._quarantine is not None:
            self._quarantine.offer(delivery)
        return forbidden(error.reason, event_id=event_id, member_id=member_id)

    def _client_of(self, request: web.BaseRequest) -> str:
        forwarded_for = request.headers.getall("X-Forwarded-For", ())
        return self._clients.of(request.remote, forwarded_for)

    def _count_first(self, member_id: str, body: bytes) -> None:
        """A portal's first event since its events were last added up, which is seconds ago."""
        self._counts[member_id] = 1
        if self._event_tokens is not None:
            self._event_tokens.offer(member_id, body)

    def _answer_to_head(
        self, request: web.BaseRequest
    ) -> web.Response | Awaitable[web.Response] | None:
        """The answer to what is no delivery, going by its head alone."""
        if request.raw_path != self._path != request.path:
            if self._page is not None and request.path == self._page.path:
                return self._page.handle(request, self.bodies)
            return answer(404, "not found", "refused", "path")
        if request.method != "POST":
            return answer_to_a_look(request.method)
        if self._guard is not None:
            forwarded_for = request.headers.getall("X-Forwarded-For", ())
            client = self._guard.refuses(request.remote, forwarded_for)
            if client is not None:
                return forbidden("not_allowed_network", client=client)
        media_type = request.headers.get("Content-Type", "")
        if media_type != _FORM and media_type.partition(";")[0].strip().lower() != _FORM:
            return answer(415, "unsupported media type", "refused", "media_type")
        if (request.content_length or 0) > self._max_body_bytes:
            return last_answer(413, "too large", "too_large")
        if is_expectation_unknown(request):
            return last_answer(417, "expectation failed", "expectation")
        return None
