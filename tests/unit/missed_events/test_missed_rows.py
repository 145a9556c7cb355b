from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract import (
    COMMENT_ADDED,
    COMMENT_DELETED,
    COMMENT_UPDATED,
    CommentType,
    EventSubject,
)
from gateway.missed_events.missed_rows import has_arrived, missed, recovered
from gateway.missed_events.online_events import Key, OnlineEvent
from gateway.missed_events.queue_rows import OfflineRow
from gateway.missed_events.recovered_event import recovered_id
from gateway.portals.directory import Portal

T = 1_766_000_000
NOW = datetime.fromtimestamp(T + 100, UTC)
ACME = Portal(member_id="m", domain="acme.example", digests=())


def row(event_type: CommentType = COMMENT_UPDATED, *, changed_at: int = T) -> OfflineRow:
    return OfflineRow(
        message_id="f" * 32,
        type=event_type,
        subject=EventSubject.of_comment(9),
        changed_at=changed_at,
        user_id=7,
    )


def arrived(
    sighting: OnlineEvent | None, event_type: CommentType = COMMENT_UPDATED, *, ahead_s: float = 0
) -> bool:
    return has_arrived(row(event_type), sighting, tolerance_s=2, clock_ahead_s=ahead_s)


def test_what_was_never_seen_has_not_arrived() -> None:
    assert not arrived(None)


@pytest.mark.parametrize("event_type", [COMMENT_ADDED, COMMENT_DELETED])
def test_what_happens_once_has_arrived_whenever_it_was_seen(event_type: CommentType) -> None:
    assert arrived(OnlineEvent(T - 50, T - 50), event_type)


def test_an_update_has_arrived_by_an_event_of_its_time() -> None:
    assert arrived(OnlineEvent(T, T + 0.3))
    assert arrived(OnlineEvent(T - 2, T + 0.3))


def test_an_update_has_not_arrived_by_the_event_of_an_earlier_one() -> None:
    assert not arrived(OnlineEvent(T - 10, T - 9))
    assert not arrived(OnlineEvent(T - 3, T + 1))


def test_an_update_has_arrived_by_any_event_that_came_in_later() -> None:
    """Of a change within a long request the event's time is its beginning, the row's its end."""
    assert arrived(OnlineEvent(T - 40, T + 2))


def test_when_it_came_in_is_compared_by_the_clock_of_the_portal() -> None:
    ahead = OnlineEvent(T - 40, T - 300 + 3)
    behind = OnlineEvent(T - 40, T + 3)

    assert arrived(ahead, ahead_s=300)
    assert not arrived(ahead)
    assert not arrived(behind, ahead_s=-300)


def test_only_the_same_kind_of_change_of_the_same_comment_counts() -> None:
    rows = [row(COMMENT_ADDED), row(COMMENT_UPDATED)]
    sightings = {
        Key.of_comment("m", 9, COMMENT_ADDED): OnlineEvent(T, T),
        Key.of_comment("m", 8, COMMENT_UPDATED): OnlineEvent(T, T),
        Key.of_comment("other", 9, COMMENT_UPDATED): OnlineEvent(T, T),
    }

    found = missed(rows, sightings, member_id="m", tolerance_s=2, clock_ahead_s=0)

    assert found == rows[1:]


def test_a_row_becomes_the_event_that_was_missed_marked_as_recovered() -> None:
    event = recovered(row(), ACME, found_at=NOW)

    assert (event.type, event.subject) == (COMMENT_UPDATED, "comment/9")
    assert (event.occurred_at.timestamp(), event.received_at) == (T, NOW)
    assert event.recovered is True
    assert (event.data.member_id, event.data.domain, event.data.user_id) == ("m", "acme.example", 7)


def test_the_id_follows_from_the_row_and_from_nothing_else() -> None:
    def event_id(changed_at: int = T, portal: Portal = ACME, second: int = 0) -> str:
        return recovered(row(changed_at=changed_at), portal, found_at=NOW.replace(second=second)).id

    other = Portal(member_id="n", domain="acme.example", digests=())
    assert event_id() == event_id(second=5)
    assert len({event_id(), event_id(changed_at=T + 1), event_id(portal=other)}) == 3


@given(at=st.floats(0, 2**40), parts=st.lists(st.text(), min_size=1))
def test_every_id_is_a_uuid_of_version_7_and_of_its_time(at: float, parts: list[str]) -> None:
    found = UUID(recovered_id(at, *parts))

    assert (found.version, found.variant) == (7, "specified in RFC 4122")
    assert found.int >> 80 == int(at * 1000) & 2**48 - 1
    assert recovered_id(at, *parts) == str(found)
