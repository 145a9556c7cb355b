"""An event's id tells when the event was received, if it is one that can tell."""

from datetime import UTC, datetime

import pytest

from gateway.contract import moment_in
from gateway.missed_events.recovered_event import recovered_id


def test_an_id_begins_with_its_moment() -> None:
    at = datetime(2026, 11, 20, 12, 0, 1, 250_000, tzinfo=UTC)
    assert moment_in(recovered_id(at.timestamp(), "portal", 7)) == at


@pytest.mark.parametrize(
    "event_id",
    [
        "",
        "e1",
        "01936b2e-0000-4000-8000-000000000001",  # version 4
        "ffffffff-ffff-7fff-bfff-ffffffffffff",  # in the year 10889
    ],
)
def test_other_ids_have_none(event_id: str) -> None:
    assert moment_in(event_id) is None
