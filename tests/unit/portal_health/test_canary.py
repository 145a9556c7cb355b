"""What is said of the step that a canary did not make."""

import pytest

from gateway.ops.group_standings import GroupStanding
from gateway.portal_health.canary import Flight, reason_of


def standing(group: str, *, owner: str | None, stream: str = "events") -> GroupStanding:
    return GroupStanding(
        stream=stream,
        partition=0,
        group=group,
        length=1,
        lag=1,
        pending=0,
        oldest_pending_s=0.0,
        redeliveries=0,
        dead_letters=0,
        owner=owner,
        epoch=None,
        delivered_id="0-0",
    )


GROUPS = [standing("audit", owner=None), standing("notifier", owner="host:1", stream="comments")]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("portal", "did not answer in time"),
        ("events", "nothing came"),
        ("events: audit", "no process works for it"),
        ("comments", "`consumers run enricher`"),
        ("comments: notifier", "other work first"),
        ("comments: gone", "no process works for it"),
    ],
)
def test_each_step_has_a_reason_to_look_for(step: str, words: str) -> None:
    assert words in reason_of(step, GROUPS)


def test_a_flight_stops_at_the_first_step_that_was_not_made() -> None:
    assert Flight({"portal": 1.0, "events": 2.0}).stopped_at is None
    assert Flight({"portal": 1.0, "events": None, "events: audit": None}).stopped_at == "events"
