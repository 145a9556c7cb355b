"""`consumers warehouse …` about events that are not about comments."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from click.testing import Result
from redis.asyncio import Redis

from consumers.testing import app_event, entity_event
from gateway.portals.registry import Registry
from tests.integration.runtime.running import comment_event, publish
from tests.integration.warehouse.conftest import events_on
from tests.integration.warehouse.loading import ask_duckdb

KEY = "b24:comments:{0}"


async def test_events_of_any_subject_are_compared_loaded_again_and_erased_with_their_portal(
    run: Any, redis: Redis, tmp_path: Path
) -> None:
    async def told(*arguments: str) -> Result:
        return await asyncio.to_thread(run, *arguments)

    await publish(redis, KEY, [entity_event("deal/77"), app_event(), comment_event(1)])
    await redis.xgroup_create(KEY, "warehouse", "$")
    found = json.loads((await told("check", "--from", "1h", "--json")).stdout)
    assert (found["compared"], len(found["missing"])) == (3, 3)

    assert (await told("backfill", "--from", "1h")).stdout == "3 events loaded\n"
    assert (await told("check", "--from", "1h")).exit_code == 0
    ask = ask_duckdb(f"{tmp_path}/warehouse.duckdb")
    kinds = "SELECT subject_kind FROM bitrix24.events ORDER BY 1"
    assert ask(kinds) == [("app",), ("deal",)]

    deal = ("erase", "--portal", "portal", "--subject", "deal/77", "--yes", "--json")
    assert json.loads((await told(*deal)).stdout)["erasure"] == {
        "member_id": "portal",
        "subject": "deal/77",
        "by": "warehouse",
        "erased_count": 1,
        "reason": "",
    }
    (record,) = await events_on(redis)
    assert (record.type, record.subject) == ("gateway.subject.erased", "deal/77")
    await told("backfill", "--from", "1h")
    assert ask(kinds) == [("app",)]
    assert json.loads((await told("check", "--from", "1h", "--json")).stdout)["erased"] == 1

    erased = json.loads((await told("erase", "--portal", "portal", "--yes", "--json")).stdout)
    assert erased["erasure"]["erased_count"] == 2
    await told("backfill", "--from", "1h")
    assert ask(kinds) == []
    assert json.loads((await told("check", "--from", "1h", "--json")).stdout)["erased"] == 3


async def test_nothing_is_on_record_as_erased_because_a_portal_was_called_by_its_domain(
    run: Any, redis: Redis
) -> None:
    await Registry(redis, prefix="b24").add(
        "portal", "acme.bitrix24.example", b"x" * 32, now=datetime.now(UTC)
    )

    refused = await asyncio.to_thread(run, "erase", "--portal", "Acme.bitrix24.example", "--yes")

    assert refused.exit_code == 1
    assert "is a domain: erase --portal portal" in str(refused.exception or refused.output)
    assert not await redis.exists("b24:events:{0}")
