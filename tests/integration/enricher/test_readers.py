"""What the notifier and the warehouse make of what the enricher writes, with what comes again."""

import shutil
from contextlib import AsyncExitStack
from pathlib import Path

from msgspec.structs import replace

from consumers import notifier, warehouse
from gateway.settings import NotifierSettings, RouteSettings, WarehouseSettings
from tests.integration.enricher.conftest import COMMENTS, Scene
from tests.integration.notifier.sinks import http_sink
from tests.integration.runtime.running import running, settled
from tests.integration.warehouse.loading import ask_duckdb
from tests.support.eventually import eventually


async def test_a_text_that_comes_later_reaches_the_warehouse_and_is_told_to_nobody(
    scene: Scene, tmp_path: Path, empty_warehouse: Path
) -> None:
    shutil.copy(empty_warehouse, tmp_path / "warehouse.duckdb")
    portal = await scene.portal()
    portal.faults.is_down = True
    (comment_id,) = scene.written(portal, 1)
    async with http_sink() as sink, AsyncExitStack() as stack:
        settings = replace(
            scene.settings(give_up_after_s=0.1, refetch_after_s=1.0),
            notifier=NotifierSettings(
                stream="comments",
                allow_private=True,
                routes=(RouteSettings(urls=(sink.url,), window_s=0.0),),
            ),
            warehouse=WarehouseSettings(
                stream="comments",
                destination=f"duckdb:///{tmp_path}/warehouse.duckdb",
                work_dir=str(tmp_path / "work"),
                max_wait_s=0.05,
            ),
        )
        for consumer in (notifier.build(settings), warehouse.build(settings)):
            await stack.enter_async_context(running(consumer, scene.url))
        await eventually(lambda: has_groups(scene, 2))
        await stack.enter_async_context(scene.enriching(settings))

        first = await scene.happened(portal, comment_id)
        await eventually(lambda: len(sink.received) == 1)
        portal.faults.is_down = False
        await scene.until_out(2)
        second = await scene.happened(portal, comment_id)
        await eventually(lambda: len(sink.received) == 2)
        for group in ("notifier", "warehouse"):
            await eventually(lambda group=group: settled(scene.redis, COMMENTS, group))  # type: ignore[misc]

    assert [event_id for event_id, _comment, _is_old in await scene.out()] == [
        first.id,
        first.id,
        second.id,
    ]
    told = sink.bodies
    assert "Its text could not be had: the portal did not answer." in told[0]
    assert "> text 0" in told[1]
    assert ask_duckdb(f"{tmp_path}/warehouse.duckdb")(
        "SELECT event_id, comment_state, comment_text, author_id, entity_type, entity_id"
        " FROM bitrix24.comment_events ORDER BY received_at"
    ) == [(event.id, "present", "text 0", 7, "deal", 2) for event in (first, second)]


async def has_groups(scene: Scene, count: int) -> bool:
    if not await scene.redis.exists(COMMENTS):
        return False
    return len(await scene.redis.xinfo_groups(COMMENTS)) == count
