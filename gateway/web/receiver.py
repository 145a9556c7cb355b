"""The public listener: what Bitrix24 sends, and the fixed answers to it.

The body is read once, as bytes. Every request is answered by the table of docs/http.md and counted
by outcome and reason; nothing that a sender can do makes the handler raise.
"""

from time import perf_counter, time_ns
from typing import Any, Final, Protocol

import structlog
from aiohttp import web
from uuid_utils import uuid7

from gateway import metrics
from gateway.contract import Streams, encode_event
from gateway.inbound.admission import Admitted, KnownPortals, admit
from gateway.inbound.errors import Forbidden, Malformed
from gateway.inbound.form import FormError
from gateway.inbound.form_fields import extract
from gateway.publishing.batch import Stored
from gateway.publishing.errors import Unavailable
from gateway.settings import Http

__all__ = ["EventSink", "Receiver", "public_app"]

log: Any = structlog.get_logger(__name__)

_FORM: Final = "application/x-www-form-urlencoded"
_RETRY_AFTER_S: Final = "5"


class EventSink(Protocol):
    """Where admitted events are stored."""

    async def publish(self, event: bytes, partition: int) -> Stored:
        """Store an event and say where it is; raises Unavailable."""
        ...


class Receiver:
    """The handler of deliveries."""

    def __init__(
        self, portals: KnownPortals, sink: EventSink, streams: Streams, *, max_body_bytes: int
    ) -> None:
        self._portals = portals
        self._sink = sink
        self._streams = streams
        self._max_body_bytes = max_body_bytes
        self._stored = {
            stored: metrics.DELIVERIES.labels(
                "stored" if stored is Stored.STREAM else "spooled", ""
            )
            for stored in Stored
        }

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request to the handler's URL."""
        if request.method != "POST":
            return _answer_to_a_look(request.method)
        media_type = request.headers.get("Content-Type", "")
        if media_type != _FORM and media_type.partition(";")[0].strip().lower() != _FORM:
            return _answer(415, "unsupported media type", "refused", "media_type")
        if (request.content_length or 0) > self._max_body_bytes:
            return self._too_large()
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return self._too_large()
        started = perf_counter()
        response = await self._deliver(body)
        metrics.DELIVERY_SECONDS.observe(perf_counter() - started)
        return response

    async def _deliver(self, body: bytes) -> web.Response:
        receipt_id = str(uuid7())
        try:
            verdict = admit(
                extract(body),
                self._portals,
                receipt_id=receipt_id,
                received_ms=time_ns() // 1_000_000,
            )
            if not isinstance(verdict, Admitted):
                return _answer(200, "ignored", "ignored", verdict.reason, event_id=receipt_id)
            partition = self._streams.partition_of(verdict.member_id, verdict.comment_id)
            stored = await self._sink.publish(encode_event(verdict.event), partition)
        except Forbidden as error:
            return _answer(
                403,
                "forbidden",
                "forbidden",
                error.reason,
                event_id=receipt_id,
                member_id=error.member_id[:64],
            )
        except (FormError, Malformed) as error:
            return _answer(400, "bad request", "malformed", error.reason, event_id=receipt_id)
        except Unavailable as error:
            return _unavailable(error.reason, event_id=receipt_id)
        except Exception:
            log.exception("delivery failed", event_id=receipt_id)
            return _unavailable("internal", event_id=receipt_id)
        self._stored[stored].inc()
        return web.Response(
            body=b"ok", headers={"X-Event-Id": receipt_id, "X-Event-Stored": stored}
        )

    def _too_large(self) -> web.Response:
        response = _answer(413, "too large", "refused", "too_large")
        # The rest of the body is not read, so the connection cannot carry another request.
        response.force_close()
        return response


def _answer(status: int, body: str, outcome: str, reason: str, **about: str) -> web.Response:
    """An answer other than `ok`: one log line with its reason, and a count."""
    metrics.DELIVERIES.labels(outcome, reason).inc()
    level = "info" if outcome == "ignored" else "warning"
    getattr(log, level)(f"delivery {outcome}", status=status, reason=reason, **about)
    return web.Response(status=status, text=body)


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


async def _elsewhere(_request: web.Request) -> web.Response:
    """Every other path."""
    return _answer(404, "not found", "refused", "path")


def public_app(receiver: Receiver, settings: Http) -> web.Application:
    """The application of the public port: one path, and nothing else."""
    app = web.Application(client_max_size=settings.max_body)
    # All methods and paths are routed here, rather than left to aiohttp's own 404 and 405, so
    # that those are counted too without a middleware around every delivery.
    app.router.add_route("*", settings.path, receiver.handle)
    app.router.add_route("*", "/{elsewhere:.*}", _elsewhere)
    return app
