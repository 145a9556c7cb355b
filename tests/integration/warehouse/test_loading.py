"""Rows follow from events, however often and in whatever order the events come."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from consumers.warehouse import table_schema
from consumers.warehouse.row_loading import Warehouse
from gateway.contract import CommentFile, EntryId
from tests.integration.warehouse.loading import (
    PORTAL,
    START,
    Target,
    entry,
    fetched,
    load,
)

pytestmark = pytest.mark.parametrize(
    "kind", ["duckdb", "postgres", "dlt"], indirect=True, scope="session"
)


def test_an_event_becomes_a_row_with_everything_it_says(
    warehouse: Warehouse, target: Target
) -> None:
    text = 'line one\nline "two", \\N and \ttab, ünïcode ✓, NUL:\0.'
    came = entry("updated", comment=fetched(text, at_s=2))
    load(warehouse, came)

    (row,) = target.dicts(
        f"SELECT {', '.join(table_schema.COMMENT_EVENTS.names)} FROM bitrix24.comment_events"
    )
    files = row.pop("files")
    assert "quoted" in str(files)
    loaded_at = row.pop("loaded_at")
    assert loaded_at > START
    assert row == {
        "event_id": came.event.id,
        "action": "updated",
        "member_id": PORTAL,
        "domain": "acme.bitrix24.com",
        "comment_id": 999,
        "user_id": 7,
        "event_handler_id": None,
        "occurred_at": START,
        "received_at": START,
        "traceparent": None,
        "stream": "events",
        "stream_partition": 0,
        "entry_ms": EntryId.of(came.id).ms,
        "entry_seq": EntryId.of(came.id).number,
        "comment_state": "present",
        "comment_text": text.replace("\0", ""),
        "comment_text_plain": text.replace("\0", ""),
        "author_id": 3,
        "entity_type": "deal",
        "entity_id": 42,
        "comment_created_at": START - timedelta(hours=1),
        "fetched_at": START + timedelta(seconds=2),
        "content_hash": f"hash of {text}".replace("\0", ""),
        "unavailable_reason": None,
        "comment_cut": None,
    }


def test_an_event_that_is_delivered_again_stays_one_row(
    warehouse: Warehouse, target: Target
) -> None:
    first, second = entry("added"), entry("updated", at_s=1)

    load(warehouse, first, second, first)
    load(warehouse, second, first)

    assert sorted(target.ask("SELECT event_id FROM bitrix24.comment_events")) == sorted(
        [(first.event.id,), (second.event.id,)]
    )


def test_an_enriched_event_replaces_the_bare_one(warehouse: Warehouse, target: Target) -> None:
    bare = entry("updated")
    load(warehouse, bare)
    enriched = entry("updated", event_id=bare.event.id, comment=fetched("the text", at_s=1))
    load(warehouse, enriched)

    assert target.ask("SELECT comment_text FROM bitrix24.comment_events") == [("the text",)]


HOSTILE = (
    *("", " ", "NULL", "\\N", "\\.", "\n", "\r\n", "a\n\\.\nb", '"', '""', "'", ",", ";", "\t"),
    *(
        "привет",
        "🎉",
        "e\u0301",
        "\u202e",
        "{}",
        "%s",
        "{comment_events}",
        "\x01",
        "\x7f",
        "\ufeff",
    ),
)


def test_hostile_texts_are_the_same_rows_in_every_destination(
    warehouse: Warehouse, target: Target
) -> None:
    entries = []
    for number, text in enumerate(HOSTILE, start=1):
        comment = replace(
            fetched(text, at_s=2),
            author_id=None,
            entity_type=text,
            files=(CommentFile(id=1, name=text),),
            reason=text,
        )
        entries.append(entry("updated", number, comment=comment))
    load(warehouse, *entries)

    found = target.ask(
        "SELECT comment_text, comment_text_plain, entity_type, unavailable_reason, author_id, "
        "traceparent FROM bitrix24.comment_events ORDER BY comment_id"
    )
    assert found == [(text, text, text, text, None, None) for text in HOSTILE]
    shown = target.ask("SELECT text, text_plain FROM bitrix24.comments ORDER BY comment_id")
    assert shown == [(text, text) for text in HOSTILE]


def test_nothing_stays_behind_in_the_staging_tables(
    warehouse: Warehouse, target: Target, kind: str
) -> None:
    load(warehouse, entry("added"))

    staging = target.ask(
        "SELECT table_schema FROM information_schema.tables "
        "WHERE table_schema LIKE 'bitrix24_staging%' AND table_name = 'comment_events'"
    )
    assert len(staging) == (kind == "dlt"), "the straight ways need none"
    for (schema,) in staging:
        assert target.ask(f"SELECT COUNT(*) FROM {schema}.comment_events") == [(0,)]
