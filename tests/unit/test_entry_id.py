import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.contract import EntryId

MAX = 2**64 - 1
IDS = st.builds(EntryId, st.integers(0, MAX), st.integers(0, MAX))


@given(IDS)
@example(EntryId(0))
@example(EntryId(MAX, MAX))
def test_an_id_is_read_as_it_is_written(entry_id: EntryId) -> None:
    assert EntryId.of(str(entry_id)) == entry_id
    assert EntryId.of(str(entry_id).encode()) == entry_id


def test_ids_compare_as_numbers_not_as_texts() -> None:
    assert EntryId.of("9-9") < EntryId.of("9-10") < EntryId.of("10-0")


def test_milliseconds_alone_are_the_first_id_of_them() -> None:
    assert EntryId.of("5") == EntryId.of("5-0") == EntryId(5)


@given(IDS)
def test_next_and_previous_undo_each_other_but_at_the_ends(entry_id: EntryId) -> None:
    assert entry_id.next.previous == entry_id or entry_id == EntryId(MAX, MAX)
    assert entry_id.previous.next == entry_id or entry_id == EntryId(0)


def test_neighbours_across_a_millisecond() -> None:
    assert EntryId(5, MAX).next == EntryId(6)
    assert EntryId(6).previous == EntryId(5, MAX)


def test_the_ends_are_their_own_neighbours() -> None:
    assert EntryId(0).previous == EntryId(0)
    assert EntryId(MAX, MAX).next == EntryId(MAX, MAX)


NO_IDS = [
    "",
    "-",
    "+",
    "*",
    "$",
    "(5-0",
    "5-",
    "-5",
    "5-0-0",
    "5-*",
    " 5-0",
    "+5-0",
    "5_0-0",
    "٥-0",
]


@pytest.mark.parametrize("text", [*NO_IDS, f"{MAX + 1}-0", f"0-{MAX + 1}"])
def test_anything_else_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(ValueError, match="no entry id"):
        EntryId.of(text)
    with pytest.raises(ValueError, match="no entry id"):
        EntryId.of(text.encode())
