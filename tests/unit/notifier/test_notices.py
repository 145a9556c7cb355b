from msgspec.structs import replace

from consumers.notifier.notices import (
    Kind,
    News,
    Notice,
    decoded,
    encoded,
    given_back,
    merged,
    not_accepted,
    overtaken,
    sent,
)


def news(kind: Kind = "changed", number: int = 1, *, at_ms: int = 1000) -> News:
    return News(event_id=f"e{number}", raw=f"raw{number}".encode(), kind=kind, at_ms=at_ms)


def told(*kinds: Kind, is_wanted: bool = True) -> Notice | None:
    """What is left to be told after these events, nothing being sent meanwhile."""
    waiting: Notice | None = None
    for number, kind in enumerate(kinds, 1):
        waiting = merged(waiting, news(kind, number, at_ms=1000 * number), is_wanted=is_wanted)
    return waiting


def leased(*kinds: Kind) -> Notice:
    waiting = told(*kinds)
    assert waiting is not None
    return replace(waiting, lease="here")


def test_edits_become_one_notice_of_the_newest_since_the_first() -> None:
    notice = told("added", "changed", "changed")

    assert notice == Notice(
        event_id="e3", raw=b"raw3", first="added", last="changed", since_ms=1000, count=3
    )


def test_a_comment_added_and_deleted_before_it_was_told_leaves_no_trace() -> None:
    assert told("added", "changed", "deleted") is None


def test_of_a_comment_edited_and_deleted_only_the_deletion_is_told() -> None:
    notice = told("changed", "deleted")

    assert notice is not None
    assert (notice.event_id, notice.last, notice.count, notice.since_ms) == (
        "e2",
        "deleted",
        1,
        1000,
    )


def test_a_deletion_that_the_route_did_not_ask_for_still_withdraws() -> None:
    assert merged(told("changed"), news("deleted", 2), is_wanted=False) is None


def test_a_comment_that_was_gone_when_it_was_fetched_is_not_told() -> None:
    assert told("gone") is None
    assert told("changed", "gone") is None


def test_an_edit_that_the_route_did_not_ask_for_changes_nothing() -> None:
    waiting = told("changed")

    assert merged(waiting, news(number=2), is_wanted=False) == waiting
    assert merged(None, news(), is_wanted=False) is None


def test_what_comes_while_a_notice_is_sent_is_told_after_it() -> None:
    busy = merged(leased("changed"), news("changed", 2), is_wanted=True)

    assert busy is not None
    assert busy.event_id == "e1"
    behind = sent(busy)
    assert behind is not None
    assert (behind.event_id, behind.count, behind.lease) == ("e2", 1, "")


def test_a_notice_that_was_sent_leaves_nothing() -> None:
    assert sent(leased("changed")) is None


def test_a_notice_that_was_not_delivered_joins_what_came_meanwhile() -> None:
    busy = merged(leased("added"), news("changed", 2), is_wanted=True)
    assert busy is not None

    notice = given_back(busy)

    assert notice == Notice(
        event_id="e2",
        raw=b"raw2",
        first="added",
        last="changed",
        since_ms=1000,
        count=2,
        tries=1,
    )


def test_a_notice_that_was_not_delivered_and_whose_comment_was_deleted_is_not_tried_again() -> None:
    for is_wanted in (True, False):
        busy = merged(leased("added"), news("deleted", 2), is_wanted=is_wanted)
        assert busy is not None
        assert given_back(busy) is None

    busy = merged(leased("changed"), news("deleted", 2), is_wanted=False)
    assert busy is not None
    assert given_back(busy) is None


def test_the_deletion_of_a_comment_whose_edit_was_not_delivered_is_told() -> None:
    busy = merged(leased("changed"), news("deleted", 2), is_wanted=True)
    assert busy is not None

    notice = given_back(busy)

    assert notice is not None
    assert (notice.event_id, notice.last) == ("e2", "deleted")


def test_a_notice_survives_redis() -> None:
    busy = merged(leased("added"), news("changed", 2), is_wanted=True)

    assert decoded(encoded(busy)) == busy
    assert encoded(None) == b""
    assert decoded(b"") is None
    assert decoded(None) is None


def test_a_notice_that_may_have_arrived_is_told_again_as_it_was_before_what_came_since() -> None:
    notice = not_accepted(leased("changed"), is_unsure=True)
    assert notice is not None

    notice = merged(notice, news("changed", 2), is_wanted=True)
    assert notice is not None
    again = not_accepted(notice, is_unsure=False)  # nobody knows of the first time still

    assert again is not None
    assert (again.event_id, again.count, again.tries) == ("e1", 1, 2)
    behind = sent(again)
    assert behind is not None
    assert (behind.event_id, behind.count, behind.lease) == ("e2", 1, "")


def test_of_a_comment_that_may_have_been_told_only_the_deletion_is_told() -> None:
    notice = not_accepted(leased("added"), is_unsure=True)
    assert notice is not None

    notice = merged(notice, news("deleted", 2), is_wanted=True)

    assert notice is not None
    assert notice.is_withdrawn
    deletion = overtaken(notice)
    assert deletion is not None
    assert (deletion.event_id, deletion.last) == ("e2", "deleted")
    assert not_accepted(notice, is_unsure=True) == deletion
