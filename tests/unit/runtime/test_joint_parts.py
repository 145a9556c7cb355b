"""What the groups of one process have in common."""

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest

from consumers.runtime.event_memory import EventMemory
from consumers.runtime.merged_registry import MergedRegistry
from consumers.testing import comment_event
from gateway.contract import InvalidEvent, encode_event


def test_an_event_that_several_groups_are_given_is_in_memory_once() -> None:
    memory = EventMemory()
    raw = encode_event(comment_event(1))
    first = memory.read(bytes(raw))
    second = memory.read(bytes(bytearray(raw)))

    assert first[0] is second[0]
    assert first[1] is second[1]


def test_what_is_remembered_is_bounded_and_the_newest_stays() -> None:
    some = [encode_event(comment_event(number)) for number in range(100)]
    memory = EventMemory(most_bytes=10 * len(some[0]))
    events = [memory.read(raw)[1] for raw in some]

    assert memory.read(bytes(bytearray(some[-1])))[1] is events[-1]
    assert memory.read(bytes(bytearray(some[0])))[1] is not events[0]


def test_what_is_no_event_is_remembered_for_nobody() -> None:
    memory = EventMemory()
    for _ in range(2):
        with pytest.raises(InvalidEvent):
            memory.read(b"{}")


def test_each_family_of_metrics_stands_once() -> None:
    registries = [CollectorRegistry(), CollectorRegistry()]
    for number, registry in enumerate(registries):
        Counter("handled", "Entries.", ["group"], registry=registry).labels(f"g{number}").inc()
    text = generate_latest(MergedRegistry(registries)).decode()

    assert text.count("# TYPE handled_total counter") == 1
    assert 'handled_total{group="g0"} 1.0' in text
    assert 'handled_total{group="g1"} 1.0' in text
