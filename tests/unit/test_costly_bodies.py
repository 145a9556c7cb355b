"""What anybody may post costs little, whatever stands in it.

Milliseconds are measured by `make bench-hostile`; here calls are counted, which are the same on
every machine. A call costs a tenth of a microsecond to one, so the bound stands for the 5 ms that
no body may take.
"""

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from gateway.inbound.form import DEFAULT_LIMITS
from tests.fuzz.costly import COSTLY_BODIES, READERS, read_entity

MAX_CALLS = 30 * DEFAULT_LIMITS.max_keys
MAX_CALLS_OF_PORTALS = 30 * DEFAULT_LIMITS.max_keys * DEFAULT_LIMITS.max_depth


def calls_of(read: Callable[[bytes], None], body: bytes) -> int:
    """How many functions are called, Python's own included."""
    calls = 0

    def count(_frame: FrameType, event: str, _what: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        read(body)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", COSTLY_BODIES)
def test_no_body_makes_reading_it_call_more_than_its_pairs_do(kind: str, reader: str) -> None:
    body = COSTLY_BODIES[kind]

    assert len(body) <= DEFAULT_LIMITS.max_bytes
    assert calls_of(READERS[reader], body) < MAX_CALLS


@pytest.mark.parametrize("kind", COSTLY_BODIES)
def test_what_a_portal_says_costs_no_more_than_its_names_do(kind: str) -> None:
    assert calls_of(read_entity, COSTLY_BODIES[kind]) < MAX_CALLS_OF_PORTALS


@pytest.mark.parametrize(
    "kind", ["percent signs", "escapes", "half escapes", "escapes in a wanted value"]
)
def test_what_escapes_cost_is_not_a_matter_of_their_number(kind: str) -> None:
    assert calls_of(READERS["a delivery"], COSTLY_BODIES[kind]) < 100
