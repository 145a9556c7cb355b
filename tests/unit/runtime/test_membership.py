from hypothesis import given
from hypothesis import strategies as st

from consumers.runtime.ownership import share_of

MEMBERS = st.sets(st.text("abcdef0123456789", min_size=1, max_size=12), min_size=1, max_size=12)


@given(MEMBERS, st.integers(1, 64))
def test_every_partition_has_exactly_one_owner_and_shares_are_equal(
    members: set[str], partitions: int
) -> None:
    shares = [share_of(member, members, partitions) for member in members]

    assert sorted(number for share in shares for number in share) == list(range(partitions))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_process_that_is_not_counted_yet_owns_nothing() -> None:
    assert share_of("new", {"old"}, 4) == set()


def test_the_order_of_members_does_not_matter() -> None:
    assert share_of("a", ["a", "b", "c"], 16) == share_of("a", ["c", "b", "a"], 16)
