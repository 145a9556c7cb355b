"""Makes the spans of batches, with links to those of their deliveries.

https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
"""

from collections.abc import Awaitable, Callable

from opentelemetry.trace import SpanKind

from gateway.publishing.batch import Batch, Stored
from gateway.spans import current, origin_of, span

__all__ = ["BatchSpans"]


class BatchSpans:
    """Knows of which deliveries a batch is; there only where something is traced."""

    def note_origin(self, batch: Batch) -> None:
        """Note that the current span is that of an event which has joined a batch just now."""
        origin = current()
        if origin.is_valid:
            batch.origins = [*(batch.origins or ()), origin]

    async def around(
        self, batch: Batch, partition: int, store: Callable[[Batch], Awaitable[Stored]]
    ) -> Stored:
        """Store a batch within its span; raises what storing raises."""
        parent, links = origin_of(batch.origins or ())
        attributes: dict[str, str | int] = {
            "messaging.system": "redis",
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.destination.name": "events",
            "messaging.destination.partition.id": str(partition),
            "messaging.batch.message_count": len(batch.events),
        }
        with span(
            "send events", SpanKind.PRODUCER, attributes, parent=parent, links=links
        ) as sending:
            stored = await store(batch)
            sending.set_attribute("b24.stored", stored.value)
            return stored
