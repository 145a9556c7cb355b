"""Makes spans that continue the trace of the request that brought the event.

https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry.trace import SpanKind

from consumers.runtime.entry import HeldEntry
from gateway.spans import context_of, is_traced, origin_of, span

__all__ = ["Tracing"]

_MAX_LINKS = 128
"""As many as an SDK keeps by default. Finding more costs a batch of thousands more than it says."""


class Tracing:
    """Makes the spans of one group; off unless a tracer provider was set before the start."""

    def __init__(self, group: str) -> None:
        self.is_on = is_traced()
        self._group = group

    @contextmanager
    def span(self, batch: Sequence[HeldEntry]) -> Iterator[None]:
        """A span around a handler, with links to where its events came from.

        It is a child of the first of these that is sampled. Raises what the handler raises, and
        nothing of the service's own tracing.
        """
        if not self.is_on:
            yield
            return
        first = batch[0].entry
        parent, links = origin_of(
            context_of(held.entry.event.traceparent) for held in batch[:_MAX_LINKS]
        )
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
        with span(
            f"process {first.stream}", SpanKind.CONSUMER, attributes, parent=parent, links=links
        ):
            yield
