"""Spans, recorded by a tracer of the test's own in place of an SDK."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec.structs import replace
from opentelemetry import trace
from opentelemetry.trace import NoOpTracer

from consumers.runtime.held import Held
from consumers.runtime.tracing import Tracing
from gateway.contract import encode_event
from tests.unit.consumers.test_lanes import held

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


class Recorder(NoOpTracer):
    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []

    @contextmanager
    def start_as_current_span(  # type: ignore[override]
        self, name: str, **options: Any
    ) -> Iterator[None]:
        self.spans.append({"name": name, **options})
        yield


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    found = Recorder()
    monkeypatch.setattr(trace, "get_tracer_provider", trace.NoOpTracerProvider)
    monkeypatch.setattr(trace, "get_tracer", lambda _name: found)
    return found


def traced(number: int) -> Held:
    one = held(1, number)
    event = replace(one.entry.event, traceparent=f"00-{TRACE_ID}-00f067aa0ba902b{number}-01")
    one.entry = replace(one.entry, event=event, raw=encode_event(event))
    return one


def test_without_an_sdk_nothing_is_traced() -> None:
    assert not Tracing("index").is_on


def test_a_handlers_span_continues_the_trace_of_the_request(recorder: Recorder) -> None:
    with Tracing("index").span([traced(1)]):
        pass

    (span,) = recorder.spans
    parent = trace.get_current_span(span["context"]).get_span_context()
    assert f"{parent.trace_id:032x}" == TRACE_ID
    assert span["attributes"]["messaging.consumer.group.name"] == "index"
    assert span["links"] == ()


def test_the_span_of_a_batch_links_to_the_traces_of_its_events(recorder: Recorder) -> None:
    with Tracing("index").span([traced(1), traced(2), held(2, 3)]):
        pass

    (span,) = recorder.spans
    assert span["context"] is None
    assert [f"{link.context.span_id:016x}"[-1] for link in span["links"]] == ["1", "2"]
