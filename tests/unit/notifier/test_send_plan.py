from datetime import UTC, datetime

from consumers.notifier.notices import Notice
from consumers.notifier.send_plan import Due, Parcel, SendPlan, SendPolicy, plan
from consumers.notifier.timing import QuietHours, Timing

NOW = round(datetime(2026, 1, 5, 10, 30, tzinfo=UTC).timestamp() * 1000)
HOUR = 3_600_000


def due(
    number: int,
    *,
    lease: str = "",
    is_held: bool = False,
    is_unsure: bool = False,
    is_withdrawn: bool = False,
    age_ms: int = 0,
) -> Due:
    notice = Notice(
        event_id=f"e{number}",
        raw=b"",
        first="changed",
        last="changed",
        since_ms=NOW - age_ms,
        lease=lease,
        is_held=is_held,
        is_unsure=is_unsure,
        is_withdrawn=is_withdrawn,
    )
    return Due(f"portal:{number}", notice)


def keys(parcels: tuple[Parcel, ...]) -> list[list[str]]:
    return [[one.notice.event_id for one in parcel.notices] for parcel in parcels]


def decide(
    *dues: Due, policy: SendPolicy | None = None, sent_this_hour: int = 0, room: int = 8
) -> SendPlan:
    return plan(
        dues,
        policy or SendPolicy(timing=Timing()),
        now_ms=NOW,
        sent_this_hour=sent_this_hour,
        max_parcels=room,
    )


def test_each_notice_is_a_message_of_its_own_as_far_as_there_is_room() -> None:
    decided = decide(due(1), due(2), due(3), room=2)

    assert keys(decided.parcels) == [["e1"], ["e2"]]
    assert not decided.held


def test_a_digest_is_one_message() -> None:
    decided = decide(due(1), due(2), policy=SendPolicy(timing=Timing(digest_minutes=15)))

    assert keys(decided.parcels) == [["e1", "e2"]]


def test_nothing_is_sent_in_quiet_hours_and_all_of_it_at_their_end() -> None:
    quiet = SendPolicy(timing=Timing(quiet=QuietHours.of("10:00-11:00")))

    decided = decide(due(1), due(2), policy=quiet)

    assert not decided.parcels
    assert [one.key for one in decided.held] == ["portal:1", "portal:2"]
    assert decided.held_until_ms == NOW + HOUR // 2


def test_what_was_held_back_comes_as_one_message() -> None:
    decided = decide(due(1, is_held=True), due(2), due(3, is_held=True))

    assert keys(decided.parcels) == [["e1", "e3"], ["e2"]]


def test_what_exceeds_the_hourly_cap_is_held_until_the_next_hour() -> None:
    capped = SendPolicy(timing=Timing(), max_per_hour=10)

    decided = decide(due(1), due(2), due(3), policy=capped, sent_this_hour=9)

    assert keys(decided.parcels) == [["e1"]]
    assert [one.key for one in decided.held] == ["portal:2", "portal:3"]
    assert decided.held_until_ms == NOW + HOUR // 2


def test_what_only_waits_for_room_is_not_held_by_the_cap() -> None:
    capped = SendPolicy(timing=Timing(), max_per_hour=10)

    decided = decide(due(1), due(2), due(3), policy=capped, room=1)

    assert keys(decided.parcels) == [["e1"]]
    assert not decided.held


def test_a_message_cut_off_by_a_crash_is_sent_again_as_it_was() -> None:
    before = Parcel((due(1), due(2)))
    digests = SendPolicy(timing=Timing(digest_minutes=15))

    decided = decide(due(3), due(2, lease="gone"), due(1, lease="gone"), policy=digests)

    assert keys(decided.parcels) == [["e3"], ["e2", "e1"]]
    assert decided.parcels[1].id == before.id


def test_a_message_cut_off_by_a_crash_can_be_dropped_instead() -> None:
    careful = SendPolicy(timing=Timing(), after_crash="drop")

    decided = decide(due(1, lease="gone"), due(2), policy=careful)

    assert keys(decided.parcels) == [["e2"]]
    assert [(one.due.key, one.reason) for one in decided.given_up] == [
        ("portal:1", "cut off by a crash")
    ]


def test_a_message_that_was_not_answered_is_no_crash() -> None:
    careful = SendPolicy(timing=Timing(), after_crash="drop")

    decided = decide(due(1, lease="last", is_unsure=True), policy=careful)

    assert keys(decided.parcels) == [["e1"]]


def test_a_message_that_may_have_arrived_is_not_sent_again_once_its_comment_is_deleted() -> None:
    decided = decide(due(1, lease="last", is_withdrawn=True), due(2))

    assert [one.notice.event_id for one in decided.withdrawn] == ["e1"]
    assert keys(decided.parcels) == [["e2"]]


def test_a_notice_that_is_too_late_is_given_up() -> None:
    decided = decide(
        due(1, age_ms=2 * HOUR), due(2), policy=SendPolicy(timing=Timing(), max_age_ms=HOUR)
    )

    assert keys(decided.parcels) == [["e2"]]
    assert [(one.due.key, one.reason) for one in decided.given_up] == [("portal:1", "too old")]


def test_the_id_of_a_message_is_that_of_its_event_and_a_digests_is_its_own() -> None:
    assert Parcel((due(1),)).id == "e1"
    assert Parcel((due(1), due(2))).id == Parcel((due(2), due(1))).id
    assert Parcel((due(1), due(2))).id != Parcel((due(1), due(3))).id
