"""Long texts and many of them: within DuckDB's memory, and at nobody else's cost."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from redis.asyncio import Redis
from structlog.testing import capture_logs

from consumers.cli import cli
from consumers.warehouse import event_rows
from consumers.warehouse.row_loading import Warehouse
from gateway.bitrix24.rest_object import MAX_OBJECT_BYTES
from gateway.contract import CommentEvent, FetchedObject
from tests.integration.runtime.running import comment_event, publish
from tests.integration.warehouse.conftest import database_of
from tests.integration.warehouse.loading import (
    Target,
    ask_duckdb,
    deal_entry,
    entry,
    fetched,
    load,
)


def with_text(event: CommentEvent, text: str) -> CommentEvent:
    return replace(event, data=replace(event.data, comment=fetched(text, at_s=1)))


@pytest.mark.parametrize(("count", "length"), [(10_000, 300), (3_000, 1_000)])
async def test_a_backfill_brings_texts_to_all_events_within_duckdbs_memory(
    redis: Redis, redis_url: str, tmp_path: Path, count: int, length: int
) -> None:
    events = [comment_event(number + 1) for number in range(count)]
    await publish(redis, "b24:events:{0}", events)
    await publish(redis, "b24:comments:{0}", [with_text(one, "ж" * length) for one in events])
    environment = {
        "GATEWAY_REDIS_URL": redis_url,
        "GATEWAY_WAREHOUSE_DESTINATION": f"duckdb:///{tmp_path}/warehouse.duckdb",
        "GATEWAY_WAREHOUSE_WORK_DIR": str(tmp_path / "work"),
    }

    for stream in ("events", "comments"):
        done = await run(environment, "backfill", "--from", "1h", "--stream", stream)
        assert done.exit_code == 0, done.output

    assert ask_duckdb(f"{tmp_path}/warehouse.duckdb")(
        f"SELECT COUNT(*) FROM bitrix24.comment_events WHERE length(comment_text) = {length}"
    ) == [(count,)]


async def run(environment: dict[str, str], *arguments: str) -> Any:
    return await asyncio.to_thread(
        CliRunner().invoke, cli, ["warehouse", *arguments], env=environment
    )


@pytest.mark.parametrize("kind", ["duckdb"], indirect=True)
def test_a_text_beyond_the_memory_is_cut_and_the_others_are_whole(
    ready: Target, tmp_path: Path
) -> None:
    huge = "ж" * 40_000_000
    with database_of(ready, tmp_path / "work") as database, capture_logs() as logs:
        warehouse = Warehouse(database)
        entries = [
            entry("updated", number, comment=replace(fetched(text, at_s=1), content_hash="short"))
            for number, text in enumerate(("before", huge, "behind"), start=1)
        ]
        load(warehouse, *entries)

    found = ready.ask("SELECT comment_text FROM bitrix24.comment_events ORDER BY comment_id")
    (before,), (cut,), (behind,) = found
    assert (before, behind) == ("before", "behind")
    assert cut.startswith("ж" * 60_000)
    assert cut.endswith("… [cut by the warehouse: 40000000 characters]")
    told = [one for one in logs if one["event"] == "text was cut"]
    assert [one["event_id"] for one in told] == [entries[1].event.id]


@pytest.mark.parametrize("kind", ["duckdb", "postgres"], indirect=True)
def test_objects_of_the_greatest_size_are_loaded_whole(ready: Target, tmp_path: Path) -> None:
    texts = {f"field{number}": "ж" * 10_000 for number in range(12)}
    found = FetchedObject(state="present", fields=texts)
    assert 200_000 < len(msgspec.json.encode(found)) < MAX_OBJECT_BYTES
    with database_of(ready, tmp_path / "work") as database:
        load(Warehouse(database), *(deal_entry(number, found=found) for number in range(60)))

    lengths = "SELECT COUNT(*), MIN(length(object->>'field11')) FROM bitrix24.events"
    assert ready.ask(lengths) == [(60, 10_000)]


@pytest.mark.parametrize("kind", ["postgres"], indirect=True)
def test_a_row_that_the_database_refuses_is_named_and_the_others_are_loaded(
    ready: Target, tmp_path: Path
) -> None:
    """PostgreSQL has an index of members, whose entries have a bound."""
    good = [entry("updated", number) for number in range(4)]
    random_id = "".join(chr(0x4E00 + (number * 7919) % 20_000) for number in range(4_000))
    bad = entry("updated", 9, member_id=random_id)
    with database_of(ready, tmp_path / "work") as database:
        warehouse = Warehouse(database)
        with pytest.raises(event_rows.Unfit) as refused:
            warehouse.load(event_rows.table([*good, bad], loaded_at=datetime.now(UTC)))

    assert refused.value.event_id == bad.event.id
    assert ready.ask("SELECT COUNT(*) FROM bitrix24.comment_events") == [(4,)]
