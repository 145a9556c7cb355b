"""Makes the span of a message on its way to a target, in the traces of the events it is about.

The event that a notice keeps says to which trace it belongs, whichever process took it up and
however long ago.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
from msgspec import Struct
from opentelemetry.trace import SpanKind

from consumers.notifier.send_plan import Parcel
from consumers.notifier.targets import SendOutcome, Target
from gateway.spans import context_of, failed, is_traced, origin_of, span

__all__ = ["sending_span"]


class _Traced(Struct):
    """What is read of an event here."""

    traceparent: str | None = None


_EVENTS: Final = msgspec.json.Decoder(_Traced)


@contextmanager
def sending_span(parcel: Parcel, target: Target) -> Iterator[Callable[[SendOutcome], None]]:
    """A span around a sending, with links to the deliveries of the events; tell it the outcome.

    Of the target it has the name, and neither its address nor what it answers: both may have
    secrets.
    """
    if not is_traced():
        yield lambda _outcome: None
        return
    notices = [due.notice for due in parcel.notices]
    parent, links = origin_of(context_of(_EVENTS.decode(one.raw).traceparent) for one in notices)
    attributes: dict[str, str | int] = {
        "b24.notifier.target": target.name,
        "b24.notifier.notices": len(notices),
        "cloudevents.event_id": notices[0].event_id,
    }
    with span(
        f"send {target.name}", SpanKind.CLIENT, attributes, parent=parent, links=links
    ) as sending:

        def told(outcome: SendOutcome) -> None:
            if not outcome.is_accepted:
                failed(sending, "refused" if outcome.is_about_message else "not_accepted")

        yield told
