"""Makes spans, of which nothing can harm the work that they are about.

Only the OpenTelemetry API: until somebody sets a tracer provider (gateway.span_export, or a service
in its own module), nothing is made. A span never has the text of an error, which may quote a
comment or an address with a secret in it; the error's kind stands in `error.type`, and the text in
the log.
https://opentelemetry.io/docs/specs/otel/trace/api/
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import structlog
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = [
    "ROOT",
    "context_of",
    "current",
    "error_type",
    "failed",
    "is_traced",
    "origin_of",
    "span",
    "traceparent_of",
    "within",
]

log: Any = structlog.get_logger(__name__)

ROOT: Final = Context()
"""The parent of a span that begins a trace, whatever is under way where it is made."""
_SCOPE: Final = "bitrix24-event-gateway"
_PROPAGATOR: Final = TraceContextTextMapPropagator()

Attributes = Mapping[str, str | int | Sequence[str]]


def is_traced() -> bool:
    """Whether spans are made in this process: a tracer provider was set."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


@contextmanager
def span(
    name: str,
    kind: SpanKind,
    attributes: Attributes,
    *,
    parent: Context | None = None,
    links: Sequence[Link] = (),
) -> Iterator[Span]:
    """A span around what is done within, which is the current one there.

    `parent` is the current context where it is not given. Raises what is raised within, which the
    span then says by its kind, and nothing that a sampler or an exporter raises. One that does
    nothing where nothing is traced.
    """
    made = _started(name, kind, attributes, parent, links) if is_traced() else None
    if made is None:
        yield INVALID_SPAN
        return
    token = attach(trace.set_span_in_context(made))
    try:
        yield made
    except BaseException as error:
        with _unharmed():
            failed(made, error_type(error))
        raise
    finally:
        detach(token)
        with _unharmed():
            made.end()


def failed(one: Span, kind: str) -> None:
    """Let a span say of what kind the error was that it ended with."""
    one.set_attribute("error.type", kind)
    one.set_status(Status(StatusCode.ERROR))


def error_type(error: BaseException) -> str:
    """The kind of an error, as `error.type` has it."""
    kind = type(error)
    return f"{kind.__module__}.{kind.__qualname__}"


def current() -> SpanContext:
    """That of the span within which this is called; an invalid one if there is none."""
    return trace.get_current_span().get_span_context()


def traceparent_of(context: SpanContext) -> str:
    """A valid span context as W3C writes it: https://www.w3.org/TR/trace-context/#traceparent-header."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, trace.set_span_in_context(NonRecordingSpan(context), ROOT))
    return carrier["traceparent"]


def context_of(traceparent: object) -> SpanContext:
    """The opposite of `traceparent_of`; an invalid one for what is no such text."""
    carrier = {"traceparent": traceparent} if isinstance(traceparent, str) else {}
    found = _PROPAGATOR.extract(carrier, ROOT)
    return trace.get_current_span(found).get_span_context()


def origin_of(contexts: Iterable[SpanContext]) -> tuple[Context, list[Link]]:
    """Parent and links of a span about messages that were made within these spans.

    The links are to all that are valid. The parent is the first of them that is sampled, else the
    first: so a sampler that goes by the parent keeps whatever belongs to a trace that it has kept.
    """
    links = [Link(context) for context in contexts if context.is_valid]
    if not links:
        return ROOT, []
    sampled = (link.context for link in links if link.context.trace_flags.sampled)
    parent = next(sampled, links[0].context)
    return trace.set_span_in_context(NonRecordingSpan(parent), ROOT), links


@contextmanager
def within(contexts: Iterable[SpanContext]) -> Iterator[None]:
    """Make the parent that `origin_of` finds the current span's; whatever was so before is not."""
    parent, links = origin_of(contexts)
    if not links:
        yield
        return
    token = attach(parent)
    try:
        yield
    finally:
        detach(token)


def _started(
    name: str,
    kind: SpanKind,
    attributes: Attributes,
    parent: Context | None,
    links: Sequence[Link],
) -> Span | None:
    try:
        return trace.get_tracer(_SCOPE).start_span(
            name, context=parent, kind=kind, attributes=attributes, links=links
        )
    except Exception as error:  # noqa: BLE001 - as in _unharmed
        _tell(error)
        return None


@contextmanager
def _unharmed() -> Iterator[None]:
    """Leave out what tracing fails at: what is traced is worth more."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - exporters and samplers may raise anything
        _tell(error)


def _tell(error: Exception) -> None:
    log.warning("tracing failed", error=f"{type(error).__name__}: {error}")
