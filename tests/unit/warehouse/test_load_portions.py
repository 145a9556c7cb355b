"""What is too much is halved, and what is too long alone is cut so that one sees it."""

from datetime import UTC, datetime

import pyarrow as pa

from consumers.warehouse import event_rows, table_schema
from consumers.warehouse.load_portions import halves, shortened
from tests.integration.warehouse.loading import entry, fetched

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def table(*texts: str) -> pa.Table:
    return event_rows.table(
        [entry("updated", n, comment=fetched(text, at_s=1)) for n, text in enumerate(texts)],
        loaded_at=NOW,
    )


def test_halves_are_all_of_it() -> None:
    whole = table("a", "b", "c")
    first, rest = halves(whole)

    assert first.to_pylist() + rest.to_pylist() == whole.to_pylist()
    assert (first.num_rows, rest.num_rows) == (1, 2)


def test_only_long_texts_are_cut_and_say_how_long_they_were() -> None:
    assert shortened(table("ordinary")) is None

    (was,) = table("ж" * 70_000).to_pylist()
    cut = shortened(table("ж" * 70_000))
    assert cut is not None
    (row,) = cut.to_pylist()
    assert row["comment_text"] == "ж" * 65_536 + "… [cut by the warehouse: 70000 characters]"
    assert row["comment_text_plain"] == row["comment_text"]
    assert row["content_hash"] == was["content_hash"]
    assert cut.schema == event_rows.arrow_schema(table_schema.COMMENT_EVENTS)
