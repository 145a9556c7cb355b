"""Spans, recorded by a tracer of the test's own in place of an SDK."""

from typing import Any

import pytest
from msgspec.structs import replace
from opentelemetry import trace
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    NonRecordingSpan,
    NoOpTracer,
    Span,
    SpanKind,
    StatusCode,
)

from consumers.runtime.entry import HeldEntry
from consumers.runtime.tracing import Tracing
from gateway.contract import encode_event
from tests.unit.runtime.test_lanes import held

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


class Recorded(NonRecordingSpan):
    """A span that keeps what it is told."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(INVALID_SPAN_CONTEXT)
        self.options = options
        self.attributes: dict[str, Any] = dict(options["attributes"])
        self.status: Any = None
        self.has_ended = False

    def set_attribute(self, key: str, value: Any) -> None:
        self.attributes[key] = value

    def set_status(self, status: Any, description: str | None = None) -> None:
        self.status = status

    def end(self, end_time: int | None = None) -> None:
        self.has_ended = True


class Recorder(NoOpTracer):
    def __init__(self) -> None:
        self.spans: list[Recorded] = []

    def start_span(self, name: str, **options: Any) -> Span:  # type: ignore[override]
        self.spans.append(Recorded({"name": name, **options}))
        return self.spans[-1]


class Broken(NoOpTracer):
    """A service's own tracing that fails whenever it is asked."""

    def start_span(self, name: str, **options: Any) -> Span:  # type: ignore[override]
        raise RuntimeError("no sampler")


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    found = Recorder()
    monkeypatch.setattr(trace, "get_tracer_provider", trace.NoOpTracerProvider)
    monkeypatch.setattr(trace, "get_tracer", lambda _name: found)
    return found


def traced(number: int) -> HeldEntry:
    one = held(1, number)
    event = replace(one.entry.event, traceparent=f"00-{TRACE_ID}-00f067aa0ba902b{number}-01")
    one.entry = replace(one.entry, event=event, raw=encode_event(event))
    return one


def test_without_an_sdk_nothing_is_traced() -> None:
    assert not Tracing("index").is_on


def test_a_handlers_span_continues_the_trace_of_the_request(recorder: Recorder) -> None:
    one = traced(1)
    with Tracing("index").span([one]):
        pass

    (span,) = recorder.spans
    parent = trace.get_current_span(span.options["context"]).get_span_context()
    assert f"{parent.trace_id:032x}" == TRACE_ID
    (link,) = span.options["links"]
    assert link.context == parent
    assert span.options["kind"] is SpanKind.CONSUMER
    assert span.has_ended
    # https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
    assert span.options["name"] == "process events"
    assert span.attributes == {
        "messaging.system": "redis",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "events",
        "messaging.destination.partition.id": "0",
        "messaging.consumer.group.name": "index",
        "messaging.message.id": one.entry.event.id,
    }


def test_the_span_of_a_batch_links_to_the_traces_of_its_events(recorder: Recorder) -> None:
    with Tracing("index").span([traced(1), traced(2), held(2, 3)]):
        pass

    (span,) = recorder.spans
    parent = trace.get_current_span(span.options["context"]).get_span_context()
    assert f"{parent.span_id:016x}"[-1] == "1"
    assert [f"{link.context.span_id:016x}"[-1] for link in span.options["links"]] == ["1", "2"]
    assert span.attributes["messaging.batch.message_count"] == 3
    assert "messaging.message.id" not in span.attributes


def test_a_failed_handlers_span_says_by_what(recorder: Recorder) -> None:
    with pytest.raises(KeyError), Tracing("index").span([traced(1)]):
        raise KeyError("missing")

    (span,) = recorder.spans
    assert span.attributes["error.type"] == "builtins.KeyError"
    assert span.status.status_code is StatusCode.ERROR
    assert span.has_ended


def test_tracing_that_fails_is_no_failure_of_the_handler(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "get_tracer", lambda _name: Broken())
    handled = []
    with Tracing("index").span([traced(1)]):
        handled.append(1)

    def broken_end(*_arguments: object) -> None:
        raise RuntimeError("no exporter")

    monkeypatch.setattr(trace, "get_tracer", lambda _name: recorder)
    monkeypatch.setattr(Recorded, "end", broken_end)
    with Tracing("index").span([traced(1)]):
        handled.append(2)

    assert handled == [1, 2]
