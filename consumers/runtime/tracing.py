"""Spans that continue the trace of the request that brought the event.

Only the OpenTelemetry API: without an SDK that a service sets up, nothing is created or paid.
https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from consumers.runtime.held import Held

__all__ = ["Tracing"]

_MAX_LINKS = 128


class Tracing:
    """The spans of one group; off unless a tracer provider was set before the consumer started."""

    def __init__(self, group: str) -> None:
        self.is_on = not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
        self._group = group
        self._tracer = trace.get_tracer("consumers.runtime")
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(self, batch: Sequence[Held]) -> Iterator[None]:
        """A span around a handler: a child of one event's trace, or one with links to many."""
        if not self.is_on:
            yield
            return
        first = batch[0].entry
        contexts = [self._context(held) for held in batch[:_MAX_LINKS]]
        links = [Link(trace.get_current_span(context).get_span_context()) for context in contexts]
        with self._tracer.start_as_current_span(
            f"process {first.stream}",
            context=contexts[0] if len(batch) == 1 else None,
            links=[link for link in links if link.context.is_valid] if len(batch) > 1 else (),
            kind=SpanKind.CONSUMER,
            attributes={
                "messaging.system": "redis",
                "messaging.operation.type": "process",
                "messaging.destination.name": first.stream,
                "messaging.destination.partition.id": str(first.partition),
                "messaging.consumer.group.name": self._group,
                "messaging.batch.message_count": len(batch),
                "messaging.message.id": first.event.id,
            },
        ):
            yield

    def _context(self, held: Held) -> Context:
        traceparent = held.entry.event.traceparent
        carrier = {"traceparent": traceparent} if isinstance(traceparent, str) else {}
        return self._propagator.extract(carrier)
