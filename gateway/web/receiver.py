"""The public port: what Bitrix24 sends, and the fixed answers to it.

The body is read once, as bytes. Every request is answered by the table of docs/http.md and counted
by outcome and reason; nothing that a sender can do makes the handler raise.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable
from time import time_ns
from typing import Any, Final, Protocol

import structlog
from aiohttp import web
from uuid_utils import uuid7

from gateway import metrics
from gateway.contract import Streams, encode_event
from gateway.inbound.admission import WRONG_TOKEN, Admitted, KnownPortals, admit
from gateway.inbound.errors import Forbidden, Malformed
from gateway.inbound.form import FormError
from gateway.inbound.form_fields import extract
from gateway.portals.quarantine import Delivery
from gateway.publishing.batch import Stored
from gateway.publishing.errors import Unavailable
from gateway.settings import Http
from gateway.web.protection.guard import Guard
from gateway.web.quarantining import Quarantining

__all__ = ["EventSink", "Receiver"]

log: Any = structlog.get_logger(__name__)

_FORM: Final = "application/x-www-form-urlencoded"
_RETRY_AFTER_S: Final = "5"


class EventSink(Protocol):
    """Where admitted events are stored."""

    def publish(self, event: bytes, partition: int) -> Awaitable[Stored]:
        """Store an event and say where it is; the call or waiting for it raises Unavailable."""
        ...


class Receiver:
    """The handler of everything that comes in on the public port.

    It counts the events of each portal in `counts`.
    """

    def __init__(
        self,
        portals: KnownPortals,
        sink: EventSink,
        streams: Streams,
        settings: Http,
        *,
        guard: Guard | None = None,
        quarantine: Quarantining | None = None,
        counts: defaultdict[str, int] | None = None,
    ) -> None:
        self._portals = portals
        self._sink = sink
        self._streams = streams
        self._guard = guard
        self._quarantine = quarantine
        self._counts: defaultdict[str, int] = defaultdict(int) if counts is None else counts
        self._path = settings.path
        self._max_body_bytes = settings.max_body
        self._body_timeout_s = settings.body_timeout_s

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        if (answer := self._answer_to_head(request)) is not None:
            return answer
        if request.content.is_eof():  # it came with the head: the usual case
            body = request.content.read_nowait()
            if len(body) > self._max_body_bytes:
                return _last_answer(413, "too large", "too_large")
        else:
            try:
                async with asyncio.timeout(self._body_timeout_s):
                    body = await request.read()
            except web.HTTPRequestEntityTooLarge:
                return _last_answer(413, "too large", "too_large")
            except TimeoutError:
                return _last_answer(408, "too slow", "slow_body")
            except (ConnectionError, web.RequestPayloadError):
                # The client went, or its chunks are none; whether anybody reads this or not.
                return _last_answer(400, "bad request", "cut_body")
        receipt_id = str(uuid7())
        received_ms = time_ns() // 1_000_000
        try:
            verdict = admit(
                extract(body), self._portals, receipt_id=receipt_id, received_ms=received_ms
            )
            if not isinstance(verdict, Admitted):
                return _answer(200, "ignored", "ignored", verdict.reason, event_id=receipt_id)
            self._counts[verdict.member_id] += 1
            partition = self._streams.partition_of(verdict.member_id, verdict.comment_id)
            stored = await self._sink.publish(encode_event(verdict.event), partition)
        except Forbidden as error:
            return self._refused(error, Delivery(error.member_id, receipt_id, received_ms, body))
        except (FormError, Malformed) as error:
            return _answer(400, "bad request", "malformed", error.reason, event_id=receipt_id)
        except Unavailable as error:
            return _unavailable(error.reason, event_id=receipt_id)
        except Exception:
            log.exception("delivery failed", event_id=receipt_id)
            return _unavailable("internal", event_id=receipt_id)
        return web.Response(
            body=b"ok", headers={"X-Event-Id": receipt_id, "X-Event-Stored": stored}
        )

    def _refused(self, error: Forbidden, delivery: Delivery) -> web.Response:
        """Refuse whoever is not a registered portal, and keep what may be one's after all."""
        if error.reason == WRONG_TOKEN and self._quarantine is not None:
            self._quarantine.offer(delivery)
        return _forbidden(
            error.reason, event_id=delivery.receipt_id, member_id=error.member_id[:64]
        )

    def _answer_to_head(self, request: web.BaseRequest) -> web.Response | None:
        """The answer to what is no delivery, going by its head alone."""
        if request.raw_path != self._path != request.path:
            return _answer(404, "not found", "refused", "path")
        if request.method != "POST":
            return _answer_to_a_look(request.method)
        if self._guard is not None:
            forwarded_for = request.headers.getall("X-Forwarded-For", ())
            client = self._guard.refuses(request.remote, forwarded_for)
            if client is not None:
                return _forbidden("not_allowed_network", client=client)
        media_type = request.headers.get("Content-Type", "")
        if media_type != _FORM and media_type.partition(";")[0].strip().lower() != _FORM:
            return _answer(415, "unsupported media type", "refused", "media_type")
        if (request.content_length or 0) > self._max_body_bytes:
            return _last_answer(413, "too large", "too_large")
        return None


def _answer(status: int, body: str, outcome: str, reason: str, **about: str) -> web.Response:
    """An answer other than `ok`: one log line with its reason, and a count."""
    metrics.DELIVERIES.labels(outcome, reason).inc()
    level = "info" if outcome == "ignored" else "warning"
    getattr(log, level)(f"delivery {outcome}", status=status, reason=reason, **about)
    return web.Response(status=status, text=body)


def _forbidden(reason: str, **about: str) -> web.Response:
    """The one answer to whoever is not let in, whatever the reason."""
    return _answer(403, "forbidden", "forbidden", reason, **about)


def _last_answer(status: int, body: str, reason: str) -> web.Response:
    """Refuse a body that is not read to its end: the connection carries no other request."""
    response = _answer(status, body, "refused", reason)
    response.force_close()
    return response


def _unavailable(reason: str, *, event_id: str) -> web.Response:
    response = _answer(503, "unavailable", "unavailable", reason, event_id=event_id)
    response.headers["Retry-After"] = _RETRY_AFTER_S
    return response


def _answer_to_a_look(method: str) -> web.Response:
    """A person or a probe may look at the handler's URL; anything else is refused."""
    if method in {"GET", "HEAD"}:
        return web.Response(text="ready")
    response = _answer(405, "method not allowed", "refused", "method")
    response.headers["Allow"] = "GET, HEAD, POST"
    return response
