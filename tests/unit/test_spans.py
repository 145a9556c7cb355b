"""Parents and links of spans about messages, and when spans are exported at all."""

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

from gateway.span_export import is_wanted
from gateway.spans import ROOT, context_of, current, origin_of, span, traceparent_of, within

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


def made(number: int, *, sampled: bool) -> SpanContext:
    return SpanContext(number, number, is_remote=True, trace_flags=TraceFlags(int(sampled)))


def test_a_traceparent_is_read_as_it_was_written() -> None:
    context = made(7, sampled=True)
    assert context_of(traceparent_of(context)) == context


@pytest.mark.parametrize("text", [None, "", "00-a", f"00-{0:032x}-{0:016x}-01", 7])
def test_what_is_no_traceparent_leads_nowhere(text: object) -> None:
    assert not context_of(text).is_valid


def test_the_parent_of_messages_is_the_first_that_is_sampled_and_all_are_linked_to() -> None:
    dropped, kept, also = made(1, sampled=False), made(2, sampled=True), made(3, sampled=True)
    parent, links = origin_of([context_of(None), dropped, kept, also])
    assert trace.get_current_span(parent).get_span_context() == kept
    assert [link.context for link in links] == [dropped, kept, also]


def test_what_belongs_to_no_kept_trace_has_a_parent_that_is_not_sampled() -> None:
    parent, _ = origin_of([made(1, sampled=False), made(2, sampled=False)])
    assert trace.get_current_span(parent).get_span_context() == made(1, sampled=False)


def test_messages_without_a_trace_begin_one() -> None:
    with within([made(1, sampled=True)]):
        assert origin_of([context_of(None)]) == (ROOT, [])


def test_within_is_over_when_it_is_left() -> None:
    with within([made(1, sampled=True)]):
        assert current() == made(1, sampled=True)
    assert not current().is_valid


def test_where_nothing_is_traced_a_span_does_nothing() -> None:
    with span("name", SpanKind.CLIENT, {}) as one:
        assert not one.is_recording()
        assert not current().is_valid


@pytest.mark.parametrize(
    "environment",
    [ENDPOINT, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}],
)
def test_an_endpoint_turns_traces_on(environment: dict[str, str]) -> None:
    assert is_wanted(environment)
    assert is_wanted(environment | {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "false"})


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
        {"OTEL_TRACES_EXPORTER": "otlp"},
        ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"},
        ENDPOINT | {"OTEL_SDK_DISABLED": "TRUE"},
    ],
)
def test_without_one_and_where_they_are_turned_off_there_are_none(
    environment: dict[str, str],
) -> None:
    assert not is_wanted(environment)
