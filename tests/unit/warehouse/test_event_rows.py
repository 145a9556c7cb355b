"""Everything that a destination could refuse about a value is settled before it is sent."""

import json
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from consumers.warehouse import event_rows, table_schema
from consumers.warehouse.erased_rows import ErasureRow, Erasures
from consumers.warehouse.load_portions import parts
from gateway.contract import Comment, CommentFile, OtherEvent
from tests.integration.warehouse.loading import PORTAL, START, StreamEntry, entry

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_row_has_the_columns_of_the_table_in_their_order() -> None:
    table = event_rows.table([entry("added")], loaded_at=NOW)

    assert tuple(table.column_names) == table_schema.COMMENT_EVENTS.names
    assert table.schema == event_rows.arrow_schema(table_schema.COMMENT_EVENTS)
    assert event_rows.table([], loaded_at=NOW).schema == table.schema


def test_the_last_of_equal_events_is_the_row() -> None:
    first = entry("updated", entry_ms=1)
    again = StreamEntry(first.event, "2-0")

    assert event_rows.table([first, again], loaded_at=NOW)["entry_ms"].to_pylist() == [2]


def test_events_of_other_types_are_no_rows() -> None:
    other = OtherEvent(
        id="x",
        source="urn:x",
        type="bitrix24.crm.timeline.comment.pinned",
        subject="comment/1",
        time="2025-12-18T08:18:53Z",
        receivedat="2025-12-18T08:18:53.412Z",
    )

    assert event_rows.table([StreamEntry(other, "1-0")], loaded_at=NOW).num_rows == 0


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"time": "yesterday"}, "yesterday"),
        ({"receivedat": "2025-12-18T08:18:53"}, "zone"),
    ],
)
def test_an_event_that_fits_in_no_row_is_named(changed: dict[str, str], why: str) -> None:
    good, bad = entry("added", 1), entry("added", 2)
    bad = StreamEntry(replace(bad.event, **changed), bad.id)

    with pytest.raises(event_rows.Unfit, match=why) as unfit:
        event_rows.table([good, bad, good], loaded_at=NOW)
    assert unfit.value.event_id == bad.event.id


def test_a_number_beyond_64_bits_fits_in_no_row() -> None:
    with pytest.raises(event_rows.Unfit):
        event_rows.table([entry("added", 1 << 63)], loaded_at=NOW)


def test_a_row_says_what_of_the_comment_was_cut() -> None:
    cut = Comment(state="present", text="the beginning", cut=("text", "files"))
    whole = Comment(state="present", text="all of it")
    table = event_rows.table(
        [entry("added", 1, comment=cut), entry("added", 2, comment=whole)], loaded_at=NOW
    )

    assert table["comment_cut"].to_pylist() == ['["text","files"]', None]


def test_nul_is_taken_out_of_texts_and_files() -> None:
    comment = Comment(
        state="present",
        text="a\0b",
        files=(CommentFile(id=5, name="a\0b"), CommentFile(id=6, name="\\u0000")),
    )
    row = event_rows.table([entry("updated", comment=comment)], loaded_at=NOW).to_pylist()[0]

    assert row["comment_text"] == "ab"
    assert [file["name"] for file in json.loads(row["files"])] == ["ab", "\\u0000"]


def test_what_was_erased_is_left_out() -> None:
    table = event_rows.table(
        [
            entry("added", 1, at_s=0),
            entry("added", 2, at_s=0),
            entry("updated", 1, at_s=20),
            entry("added", 1, at_s=0, member_id="another"),
        ],
        loaded_at=NOW,
    )
    before = datetime.fromtimestamp(START.timestamp() + 10, UTC)

    def left(*erased: tuple[str, int | None, datetime]) -> list[tuple[str, int]]:
        rows = [
            ErasureRow(
                erasure_id=f"{number}",
                member_id=member_id,
                comment_id=comment_id,
                erased_at=erased_at,
                rows_erased=1,
            )
            for number, (member_id, comment_id, erased_at) in enumerate(erased)
        ]
        kept = Erasures(rows).without(table)
        return list(zip(kept["member_id"].to_pylist(), kept["comment_id"].to_pylist(), strict=True))

    assert left((PORTAL, 1, before)) == [(PORTAL, 2), (PORTAL, 1), ("another", 1)]
    assert left((PORTAL, None, before)) == [(PORTAL, 1), ("another", 1)]
    assert left((PORTAL, None, NOW), ("another", 1, NOW)) == []


@pytest.mark.parametrize("max_bytes", [1, 3000, 1 << 30])
def test_parts_are_all_of_it(max_bytes: int) -> None:
    table = event_rows.table([entry("added", number) for number in range(50)], loaded_at=NOW)
    split = list(parts(table, max_bytes))

    assert [row for part in split for row in part.to_pylist()] == table.to_pylist()
    assert all(part.num_rows for part in split)
    assert len(split) == {1: 50, 1 << 30: 1}.get(max_bytes, len(split))
    assert list(parts(table.slice(0, 0), max_bytes)) == []
