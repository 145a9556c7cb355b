"""What somebody else took away from in front of a group, as surely as it can be known."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract import EntryId
from gateway.redis_access.entry_count import counts_reads
from gateway.retention.losses import Books, Loss, balanced, removal
from tests.unit.stream_model import Model, lost, models


@given(models(), st.integers(0, 30), st.data())
def test_what_retention_itself_removed_is_no_loss(
    model: Model, count: int, data: st.DataObject
) -> None:
    books = balanced(model.state(), None)
    model.remove(set(model.entries[:count]))
    books = msgspec.structs.replace(books, own=model.state().removed)

    assert removal(model.state(), books, {}) is None


@given(models(), st.integers(1, 30), st.sampled_from(["known", "unknown"]))
def test_entries_that_others_trimmed_in_front_of_a_group_are_counted_exactly(
    model: Model, count: int, past: str
) -> None:
    before = model.state()
    books = balanced(before, None)
    known = {group.name: group for group in before.groups} if past == "known" else {}
    gone = set(model.entries[:count])
    model.remove(gone)

    found = removal(model.state(), books, known)

    assert (found.count if found else 0) == len(gone)
    losses = {loss.group: (loss.at_least, loss.at_most) for loss in found.losses} if found else {}
    # Of a group that never read, nobody knows whether it was there already.
    is_new = {name for name, place in model.delivered.items() if place == EntryId(0) and not known}
    assert losses == {
        name: (0 if name in is_new else len(missed), len(missed))
        for name, missed in model.missed.items()
        if missed
    }


@given(models(), st.data())
def test_what_a_group_lost_is_between_the_least_and_the_most_that_is_told(
    model: Model, data: st.DataObject
) -> None:
    before = model.state()
    books = balanced(before, None)
    known = {group.name: group for group in before.groups}
    if data.draw(st.booleans()) and model.entries:
        model.remove(data.draw(st.sets(st.sampled_from(model.entries))), one_by_one=True)
    model.remove(set(model.entries[: data.draw(st.integers(0, 30))]))
    for name in sorted(model.delivered):  # they go on before anybody looks
        model.read(name, data.draw(st.integers(0, 9)), acknowledged=9)
    is_believed = data.draw(st.booleans())
    if not is_believed:  # and the server has been restarted
        model.read_counts = {name: count and 1 for name, count in model.read_counts.items()}
    now = model.state() if is_believed else model.state().without_counts()

    found = removal(now, books, known)

    told = {loss.group: loss for loss in found.losses} if found else {}
    for name, missed in model.missed.items():
        in_front = {
            entry
            for entry in missed
            if entry not in model.unacknowledged[name] or entry < model.state().begins_at
        }
        loss = told.get(name, Loss(name, 0, 0))
        assert loss.at_least <= len(missed)
        assert len(in_front) <= loss.at_most


@pytest.mark.parametrize(
    ("gone", "one_by_one", "then_reads", "losses"),
    [
        # The group has read 1 and 2 of 1 to 6.
        ({EntryId(1), EntryId(2)}, False, 0, ()),
        ({EntryId(1), EntryId(2)}, False, 2, ()),
        ({EntryId(1), EntryId(2), EntryId(3)}, False, 0, (Loss("a", 1, 1),)),
        ({EntryId(1), EntryId(2), EntryId(3)}, False, 1, (Loss("a", 0, 3),)),
        ({EntryId(1)}, True, 0, ()),
        ({EntryId(1), EntryId(4)}, True, 0, (Loss("a", 1, 2),)),
        ({EntryId(1), EntryId(4)}, True, 1, (Loss("a", 1, 2),)),
        ({EntryId(1), EntryId(4)}, True, 3, (Loss("a", 0, 2),)),
    ],
)
def test_a_loss_is_told_as_surely_as_it_can_be_known(
    gone: set[EntryId], *, one_by_one: bool, then_reads: int, losses: tuple[Loss, ...]
) -> None:
    model = Model([EntryId(number) for number in range(1, 7)])
    model.read("a", 2, acknowledged=2)

    assert lost(model, gone=gone, one_by_one=one_by_one, then_reads=then_reads) == losses


def test_a_server_that_forgot_what_was_read_makes_no_loss() -> None:
    """As Redis 7.0 does when it starts: what the group has read it takes for never delivered."""
    model = Model([EntryId(number) for number in range(1, 7)])
    model.read("a", 4, acknowledged=4)
    model.read_counts["a"] = 1
    before = model.state()
    model.remove({EntryId(1), EntryId(2), EntryId(3), EntryId(4)})
    known = {group.name: group for group in before.groups}

    found = removal(model.state().without_counts(), balanced(before, None), known)

    assert found is not None
    assert (found.count, found.losses) == (4, ())


@pytest.mark.parametrize(
    ("server", "is_believed"),
    [
        ({"redis_version": "7.0.15"}, False),
        ({"redis_version": "7.2.4", "valkey_version": "7.2.9"}, False),
        ({"redis_version": "7.4.0"}, True),
        ({"redis_version": "8.10.2"}, True),
        ({"redis_version": "7.2.4", "valkey_version": "9.1.2"}, True),
        ({}, False),
    ],
)
def test_which_servers_know_what_groups_have_read(
    server: dict[str, str], *, is_believed: bool
) -> None:
    assert counts_reads(server) is is_believed


def test_a_removal_is_told_once() -> None:
    model = Model([EntryId(1), EntryId(2), EntryId(3)])
    model.read("a", 1, acknowledged=1)
    books = balanced(model.state(), None)
    model.remove({EntryId(1), EntryId(2)})
    found = removal(model.state(), books, {})
    assert found is not None
    assert found.losses == (Loss("a", 1, 1),)

    assert removal(model.state(), balanced(model.state(), books), {}) is None


def test_a_stream_that_was_made_anew_is_not_judged_by_the_old_ones_books() -> None:
    books = Books(own=100, others=7, max_deleted=EntryId(0))
    state = Model([EntryId(1)]).state()

    assert removal(state, books, {}) is None
    assert balanced(state, books) == Books(own=0, others=0, max_deleted=EntryId(0))
