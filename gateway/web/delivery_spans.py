"""Makes a span of each delivery, and lets its event say to which trace it belongs.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server
https://opentelemetry.io/docs/specs/semconv/cloudevents/cloudevents-spans/
"""

from typing import Final

from aiohttp import web
from msgspec.structs import replace
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway.contract import CloudEvent, encode_event
from gateway.settings import HttpSettings
from gateway.spans import ROOT, failed, span, traceparent_of
from gateway.web.late_bodies import LateBodies
from gateway.web.protection.client_address import address_of
from gateway.web.protection.guard import trusted_proxies_of
from gateway.web.receiver import Receiver

__all__ = ["TracedReceiver", "encode_traced"]

_TOLD: Final = ("X-Event-Id", "X-Event-Stored")


class TracedReceiver:
    """Has a receiver answer deliveries, each within a span; other requests have none.

    A trace that the sender claims is gone on with if a trusted proxy passes it on, since it decides
    what is sampled and where an operator finds the event. Anybody else's claim is not looked at:
    Bitrix24 sends none. Raises OperatorError for proxies that are no networks.
    """

    def __init__(self, receiver: Receiver, settings: HttpSettings) -> None:
        self._receiver = receiver
        self._path = settings.path
        self._trusted_proxies = trusted_proxies_of(settings)
        self._propagator = TraceContextTextMapPropagator()

    @property
    def bodies(self) -> LateBodies:
        """Those that are on their way."""
        return self._receiver.bodies

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        if request.method != "POST" or request.path != self._path:
            return await self._receiver.handle(request)
        attributes = {
            "http.request.method": "POST",
            "http.route": self._path,
            "url.path": self._path,
            "url.scheme": request.scheme,
        }
        with span(
            f"POST {self._path}", SpanKind.SERVER, attributes, parent=self._claimed(request)
        ) as delivery:
            response = await self._receiver.handle(request)
            delivery.set_attribute("http.response.status_code", response.status)
            for name in _TOLD:
                if name in response.headers:
                    told = [response.headers[name]]
                    delivery.set_attribute(f"http.response.header.{name.lower()}", told)
            if response.status >= 500:
                failed(delivery, str(response.status))
            return response

    def _claimed(self, request: web.BaseRequest) -> Context:
        """The span that the request says it comes from, if that is to be believed."""
        peer = address_of(request.remote or "")
        if peer is None or peer not in self._trusted_proxies:
            return ROOT
        return self._propagator.extract(request.headers, ROOT)


def encode_traced(event: CloudEvent) -> bytes:
    """Encode an event with the current span as its `traceparent`, and tell the span of it."""
    delivery = trace.get_current_span()
    context = delivery.get_span_context()
    if not context.is_valid:
        return encode_event(event)
    delivery.set_attributes(
        {
            "cloudevents.event_id": event.id,
            "cloudevents.event_source": event.source,
            "cloudevents.event_type": event.type,
            "cloudevents.event_subject": event.subject,
        }
    )
    return encode_event(replace(event, traceparent=traceparent_of(context)))
