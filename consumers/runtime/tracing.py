"""Makes spans that continue the trace of the request that brought the event.

Only the OpenTelemetry API: without an SDK that a service sets up, nothing is created or paid.
https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from consumers.runtime.entry import HeldEntry
from consumers.runtime.redaction import describe

__all__ = ["Tracing"]

log = structlog.get_logger()

_MAX_LINKS = 128


class Tracing:
    """Makes the spans of one group; off unless a tracer provider was set before the start."""

    def __init__(self, group: str) -> None:
        self.is_on = not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
        self._group = group
        self._tracer = trace.get_tracer("consumers.runtime")
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(self, batch: Sequence[HeldEntry]) -> Iterator[None]:
        """A span around a handler: a child of one event's trace, or one with links to many.

        Raises what the handler raises, and nothing of the service's own tracing.
        """
        span = self._started(batch) if self.is_on else None
        if span is None:
            yield
            return
        token = attach(trace.set_span_in_context(span))
        try:
            yield
        except BaseException as error:
            with _unharmed():
                _failed(span, error)
            raise
        finally:
            detach(token)
            with _unharmed():
                span.end()

    def _started(self, batch: Sequence[HeldEntry]) -> Span | None:
        first = batch[0].entry
        attributes: dict[str, str | int] = {
            "messaging.system": "redis",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": first.stream,
            "messaging.destination.partition.id": str(first.partition),
            "messaging.consumer.group.name": self._group,
        }
        if len(batch) == 1:
            attributes["messaging.message.id"] = first.event.id
        else:
            attributes["messaging.batch.message_count"] = len(batch)
        try:
            contexts = [self._context(held) for held in batch[:_MAX_LINKS]]
            links = [Link(trace.get_current_span(one).get_span_context()) for one in contexts]
            return self._tracer.start_span(
                f"process {first.stream}",
                context=contexts[0] if len(batch) == 1 else None,
                links=[link for link in links if link.context.is_valid] if len(batch) > 1 else (),
                kind=SpanKind.CONSUMER,
                attributes=attributes,
            )
        except Exception as error:  # noqa: BLE001 - as in _unharmed
            log.warning("tracing failed", error=describe(error))
            return None

    def _context(self, held: HeldEntry) -> Context:
        traceparent = held.entry.event.traceparent
        carrier = {"traceparent": traceparent} if isinstance(traceparent, str) else {}
        return self._propagator.extract(carrier)


def _failed(span: Span, error: BaseException) -> None:
    """Note what ended the handler."""
    kind = type(error)
    span.set_attribute("error.type", f"{kind.__module__}.{kind.__qualname__}")
    span.set_status(Status(StatusCode.ERROR, describe(error)))


@contextmanager
def _unharmed() -> Iterator[None]:
    """Leave out what the service's tracing fails at: a handler's success is worth more."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - exporters and samplers may raise anything
        log.warning("tracing failed", error=describe(error))
