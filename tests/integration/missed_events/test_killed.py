"""`gateway reconcile` is killed, or an answer is lost, at every point: each event comes once."""

import asyncio
import signal
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from gateway.drill.lossy_proxy import LossyProxy, on_loopback
from gateway.missed_events.gap_book import GapBook
from gateway.missed_events.portal_queue import PortalQueue
from gateway.publishing.publish_once import OncePublisher
from gateway.publishing.stream_writer import StreamWriter
from gateway.sandbox.assembly import Sandbox
from gateway.sandbox.live_portal import LivePortal
from tests.integration.missed_events.draining import add, reserved, until_drained, waiting
from tests.integration.missed_events.rigged import after
from tests.integration.missed_events.scene import Scene
from tests.support.eventually import eventually

COUNT = 30
RIGGED = "tests.integration.missed_events.rigged"

STEPS = [
    after(PortalQueue.reserve),
    after(StreamWriter.write_once),  # of one of two partitions
    after(OncePublisher.publish),
    after(GapBook.note),
    after(PortalQueue.clear),
]


async def missed(
    scene: Scene, portal: LivePortal, *, count: int = COUNT
) -> list[tuple[int, str, bool]]:
    """Let comments be added that nobody receives; what is to be on the stream afterwards."""
    scene.change("redis", partitions=2)
    comment_ids = add(portal, count)
    await portal.sent()
    return [(one, "added", True) for one in comment_ids]


async def recovered_once(
    scene: Scene, portal: LivePortal, expected: list[tuple[int, str, bool]]
) -> bool:
    (gap,) = await scene.gaps(portal)
    return sorted(await scene.told()) == expected and gap.events == COUNT


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.partition(":")[2])
async def test_killed_between_two_steps_it_is_followed_by_one_that_goes_on(
    scene: Scene, portal: LivePortal, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    expected = await missed(scene, portal)
    monkeypatch.setenv("RIGGED", f"{step} SIGKILL")
    killed = scene.start(module=RIGGED)
    assert await killed.ended() == -signal.SIGKILL, killed.log
    assert waiting(scene, portal) == (0 if step.endswith("clear:after") else COUNT)
    await scene.redis.delete("b24:reconcile:lease")  # which would expire

    await until_drained(scene, portal)

    assert await recovered_once(scene, portal, expected)


@pytest.mark.parametrize(
    "method", ["event.offline.list", "event.offline.get", "event.offline.clear"]
)
async def test_an_answer_of_the_portal_that_is_lost_costs_nothing(
    scene: Scene, sandbox: Sandbox, method: str
) -> None:
    portal = await scene.add_portal()
    async with LossyProxy(on_loopback(urlsplit(portal.endpoint).port or 0)) as proxy:
        await scene.install(portal, endpoint=f"http://127.0.0.1:{proxy.port}/rest/")
        expected = await missed(scene, portal)

        async def lose_it(request: web.Request, _: Mapping[str, Any]) -> None:
            if request.match_info["method"].startswith(method) and proxy.lost < 3:
                proxy.lose_replies(1)

        portal.faults.mood = lose_it
        await until_drained(scene, portal)

        assert proxy.lost == 3
        assert await recovered_once(scene, portal, expected)


async def test_answers_of_redis_that_are_lost_cost_nothing(
    scene: Scene, portal: LivePortal
) -> None:
    expected = await missed(scene, portal)
    async with LossyProxy(on_loopback(urlsplit(scene.settings.redis.url).port or 0)) as proxy:
        scene.change("redis", url=proxy.url)
        one = scene.start()
        async with asyncio.timeout(30):
            while proxy.lost < 12:
                expected += await missed(scene, portal, count=1)
                proxy.lose_replies(1)
                await asyncio.sleep(0.05)
        await eventually(lambda: not waiting(scene, portal))
        assert await one.stop() == 0
        assert "Traceback" not in one.log

    assert sorted(await scene.told()) == expected
    assert sum(gap.events for gap in await scene.gaps(portal)) == len(expected)


@pytest.mark.parametrize("step", STEPS[:-1:2], ids=lambda step: step.partition(":")[2])
async def test_suspended_and_overtaken_by_another_one_it_goes_on_and_does_no_harm(
    scene: Scene, portal: LivePortal, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    expected = await missed(scene, portal)
    monkeypatch.setenv("RIGGED", f"{step} SIGSTOP")
    zombie = scene.start(module=RIGGED)
    await eventually(lambda: bool(reserved(scene, portal)) and zombie.is_frozen)
    await scene.redis.delete("b24:reconcile:lease")  # which would expire

    await until_drained(scene, portal)
    expected += await missed(scene, portal)
    zombie.thaw()
    await eventually(lambda: not waiting(scene, portal))
    assert await zombie.stop() == 0

    assert sorted(await scene.told()) == expected
    assert sum(gap.events for gap in await scene.gaps(portal)) == len(expected)
