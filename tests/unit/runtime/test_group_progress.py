from msgspec.structs import replace

from consumers.runtime.group_progress import GroupProgress
from consumers.runtime.lua_scripts import Inspection

START = Inspection(
    length=0,
    added_count=0,
    first_id="",
    last_id="0-0",
    delivered_id="0-0",
    read_count=0,
    pending_count=0,
    oldest_pending_id="",
    redelivery_count=0,
    dead_count=0,
    erased_count=0,
    now_ms=0,
)


def test_the_lag_is_what_was_added_less_what_was_read() -> None:
    progress = GroupProgress()
    progress.begin(START)
    progress.read(30)
    lost = progress.inspected(
        replace(
            START, length=100, added_count=100, first_id="1-0", last_id="100-0", delivered_id="30-0"
        )
    )

    assert (progress.lag, lost) == (70, 0)


def test_entries_trimmed_before_they_were_read_are_missing_in_the_account() -> None:
    progress = GroupProgress()
    progress.begin(START)
    progress.read(30)
    lost = progress.inspected(
        replace(
            START, length=40, added_count=100, first_id="61-0", last_id="100-0", delivered_id="30-0"
        )
    )

    assert (progress.lag, lost) == (40, 30)


def test_a_gap_is_found_even_after_the_group_has_read_past_it() -> None:
    progress = GroupProgress()
    progress.begin(START)
    progress.read(70)
    lost = progress.inspected(
        replace(
            START,
            length=40,
            added_count=100,
            first_id="61-0",
            last_id="100-0",
            delivered_id="100-0",
        )
    )

    assert (progress.lag, lost) == (0, 30)


def test_a_trim_of_what_was_read_is_no_loss() -> None:
    progress = GroupProgress()
    progress.begin(START)
    progress.read(100)
    lost = progress.inspected(
        replace(
            START,
            length=1,
            added_count=100,
            first_id="100-0",
            last_id="100-0",
            delivered_id="100-0",
        )
    )

    assert (progress.lag, lost) == (0, 0)


def test_without_the_servers_count_the_lag_is_unknown_until_the_end_is_reached() -> None:
    progress = GroupProgress()
    progress.begin(
        replace(
            START,
            length=9,
            added_count=9,
            first_id="1-0",
            last_id="9-0",
            delivered_id="5-0",
            read_count=-1,
        )
    )
    assert progress.lag is None

    progress.read(4)
    progress.inspected(
        replace(START, length=9, added_count=9, first_id="1-0", last_id="9-0", delivered_id="9-0")
    )
    assert progress.lag == 0


TRIMMED = replace(
    START,
    length=5,
    added_count=12,
    first_id="8-0",
    last_id="12-0",
    delivered_id="0-0",
    read_count=0,
)


def test_what_was_trimmed_unread_is_told_once_however_often_the_account_is_begun() -> None:
    progress = GroupProgress()
    assert progress.begin(TRIMMED) == 7
    assert progress.begin(TRIMMED) == 0
    assert progress.inspected(TRIMMED) == 0
    more = replace(TRIMMED, length=3, first_id="10-0")
    assert progress.inspected(more) == 2
    assert progress.begin(more) == 0
    assert progress.lag == 3

    assert GroupProgress(progress.missed_count).begin(more) == 0
    assert GroupProgress().begin(more) == 9


def test_a_server_that_forgets_its_count_is_not_believed() -> None:
    at_the_end = replace(
        START, length=150, added_count=150, first_id="1-0", last_id="150-0", delivered_id="150-0"
    )
    assert GroupProgress().begin(replace(at_the_end, read_count=-1)) == 0

    in_the_midst = replace(at_the_end, delivered_id="140-0", read_count=-1)
    progress = GroupProgress()
    assert progress.begin(in_the_midst) == 0
    assert progress.lag is None


def test_a_lag_that_was_counted_meanwhile_has_grown_by_what_came_and_less_what_was_read() -> None:
    midst = replace(
        START,
        length=20,
        added_count=20,
        first_id="1-0",
        last_id="20-0",
        delivered_id="5-0",
        read_count=-1,
    )
    progress = GroupProgress()
    progress.begin(midst)
    progress.read(4)
    progress.inspected(
        replace(midst, length=30, added_count=30, last_id="30-0", delivered_id="9-0")
    )
    progress.counted(15)

    assert progress.lag == 21


def test_by_an_estimate_no_loss_is_told_and_the_lag_is_exact_again_at_the_end() -> None:
    midst = replace(
        START,
        length=90_000,
        added_count=90_000,
        first_id="1-0",
        last_id="90000-0",
        delivered_id="5-0",
        read_count=-1,
    )
    progress = GroupProgress()
    progress.begin(midst)
    progress.counted(95_000, is_estimate=True)
    progress.read(89_995)
    at_the_end = replace(midst, delivered_id="90000-0")

    assert progress.inspected(at_the_end) == 0
    assert progress.lag == 0

    trimmed = replace(at_the_end, length=10, added_count=90_100, first_id="90091-0")
    assert progress.inspected(replace(trimmed, last_id="90100-0")) == 90


def test_each_entry_that_was_erased_counts_once_and_the_others_are_lost() -> None:
    progress = GroupProgress()

    assert progress.erased_among(3, replace(START, erased_count=2)) == 2
    assert progress.erased_among(1, replace(START, erased_count=2)) == 0
    assert progress.erased_among(4, replace(START, erased_count=5)) == 3


def test_the_next_owner_goes_on_from_what_was_told_of_as_erased() -> None:
    progress = GroupProgress()
    progress.erased_among(2, replace(START, erased_count=2))

    of_the_next = GroupProgress(progress.missed_count, erased_count=progress.erased_count)

    assert of_the_next.erased_among(2, replace(START, erased_count=3)) == 1


def test_after_a_lease_was_lost_erased_entries_count_from_nothing() -> None:
    progress = GroupProgress(erased_count=7)

    assert progress.erased_among(0, START) == 0
    assert progress.erased_among(2, replace(START, erased_count=2)) == 2
