"""The warehouse's tables go while it runs, and a restart finds none of them either."""

import asyncio

import msgspec
import pytest
from redis.asyncio import Redis

from gateway.contract import Comment
from gateway.redis_access import connections
from tests.integration.runtime.running import comment_event, publish, settled
from tests.support.eventually import eventually
from tests.support.postgres import PostgresServer
from tests.support.stage import COUNTED, Stage

_COMMENTS = "b24:comments:{0}"
_RENAME = 'ALTER SCHEMA bitrix24 RENAME TO "{}"'


@pytest.mark.short
async def test_the_tables_go(stage: Stage, postgres: PostgresServer) -> None:
    """They are moved aside, so that what was in them can be counted."""
    server = stage.server()
    database = postgres.new_database()
    ask = postgres.asking(database)
    sent: list[str] = []
    async with connections.control(server.url) as redis:
        settings = {
            "GATEWAY_WAREHOUSE_DESTINATION": postgres.url(database),
            "GATEWAY_WAREHOUSE_WORK_DIR": str(stage.directory / "work"),
            "GATEWAY_WAREHOUSE_MAX_WAIT_S": "0.2",
            "GATEWAY_REDIS_PARTITIONS": "1",
        }
        worker = stage.worker("warehouse", server.url, settings)
        for turn in range(round(stage.span(short=2, full=4))):
            sent += await _more(redis)
            await _until_loaded(redis)
            await asyncio.to_thread(postgres.execute, database, _RENAME.format(f"gone_{turn}"))
            sent += await _more(redis)
            await _until_loaded(redis)
            if turn % 2:
                assert await worker.stop() == 0
                gone = _RENAME.format(f"gone_off_{turn}")
                await asyncio.to_thread(postgres.execute, database, gone)
                worker.launch()
        sent += await _more(redis)
        await _until_loaded(redis)
        await stage.until_green()
    tables = ask(
        "SELECT table_schema FROM information_schema.tables"
        " WHERE table_name = 'comment_events' AND table_schema NOT LIKE '%staging'"
    )
    rows = [
        event_id
        for (schema,) in tables
        for (event_id,) in ask(f'SELECT event_id FROM "{schema}".comment_events')
    ]
    assert sorted(rows) == sorted(sent)
    # all of them are there again, and not only the one that rows are loaded into
    views = ask("SELECT count(*) FROM bitrix24.comments")
    assert views[0][0] > 0
    assert ask("SELECT count(*) FROM bitrix24.erasures") == [(0,)]
    stage.remark = COUNTED


async def _more(redis: Redis) -> list[str]:
    events = [
        msgspec.structs.replace(
            event, data=msgspec.structs.replace(event.data, comment=Comment(state="present"))
        )
        for event in (comment_event(number + 1) for number in range(30))
    ]
    await publish(redis, _COMMENTS, events)
    return [event.id for event in events]


async def _until_loaded(redis: Redis) -> None:
    await eventually(lambda: settled(redis, _COMMENTS, "warehouse"), timeout_s=60)
