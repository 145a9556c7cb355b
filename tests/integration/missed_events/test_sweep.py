"""Portals without a queue for us: their comments are compared with what consumers were told."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import web

from gateway.missed_events.gap_book import GapBook
from gateway.publishing.publish_once import OncePublisher
from gateway.sandbox.assembly import Sandbox
from gateway.sandbox.live_portal import LivePortal
from tests.integration.missed_events.rigged import after
from tests.integration.missed_events.scene import Scene
from tests.support.consumer_process import ConsumerProcess, service
from tests.support.eventually import eventually


@pytest.fixture
async def portal(sandbox: Sandbox, scene: Scene) -> LivePortal:
    """A portal whose plan has no queue of offline events that can be reserved."""
    scene.change("bitrix24", auth_connector="")
    scene.change("reconcile", settle_s=0.3)
    one = await scene.add_portal(plan="basic")
    await scene.install(one, has_queue=False)
    return one


@pytest.fixture
def enricher(scene: Scene, portal: LivePortal) -> Iterator[ConsumerProcess]:
    with enriching(scene) as one:
        yield one


@contextmanager
def enriching(scene: Scene) -> Iterator[ConsumerProcess]:
    """The enricher's process, with the settings of the scene."""
    environment = {f"GATEWAY_{name}": value for name, value in scene.environment.items()}
    environment.pop("GATEWAY_REDIS_URL")
    url = scene.settings.redis.url
    with service(url, scene.directory, name="enricher", **environment) as one:
        yield one


def add(portal: LivePortal, text: str, *, deal: int = 15) -> int:
    return portal.comments.add(entity_type="deal", entity_id=deal, text=text)


async def told_of(scene: Scene, count: int) -> None:
    """Wait until consumers were told of so many events."""

    async def is_told() -> bool:
        return await scene.redis.xlen("b24:comments:{0}") >= count

    await eventually(is_told)


async def known_comments(scene: Scene, portal: LivePortal) -> list[int]:
    """Three comments that were received, and that a sweep has seen."""
    await scene.receive()
    comment_ids = [add(portal, text) for text in ("one", "two", "three")]
    await told_of(scene, 3)
    assert await scene.once()
    return comment_ids


async def missed_changes(scene: Scene, portal: LivePortal) -> list[tuple[int, str, bool]]:
    """An edit, an addition and a deletion that are lost on the way; what is to come of them."""
    first, second, _ = await known_comments(scene, portal)
    portal.faults.loses_events = True
    portal.comments.update(first, text="ONE")
    fourth = add(portal, "four")
    portal.comments.delete(second)
    portal.faults.loses_events = False
    return [(fourth, "added", True), (first, "updated", True), (second, "deleted", True)]


async def recovered(scene: Scene) -> list[tuple[int, str, bool]]:
    return [one for one in await scene.told() if one[2]]


async def test_edits_additions_and_deletions_are_found_and_published_once(
    scene: Scene, portal: LivePortal, enricher: ConsumerProcess
) -> None:
    expected = await missed_changes(scene, portal)

    assert await scene.once()

    assert await recovered(scene) == expected
    (gap,) = await scene.gaps(portal)
    assert (gap.events, gap.way) == (3, "sweep")
    await told_of(scene, 6)
    assert await scene.once()
    assert await recovered(scene) == expected


async def test_what_came_in_online_is_not_doubled(
    scene: Scene, portal: LivePortal, enricher: ConsumerProcess
) -> None:
    first, second, third = await known_comments(scene, portal)
    portal.comments.update(first, text="ONE", files=["a.pdf"])
    add(portal, "four")
    portal.comments.delete(second)
    portal.comments.update(third, text="three")
    await portal.sent()  # what is longer on its way than [reconcile] settle_s is told as missed

    assert await scene.once()

    assert await recovered(scene) == []
    assert len(await scene.told()) == 7


async def test_without_a_queue_it_is_not_asked_for_again_today(
    scene: Scene, portal: LivePortal, enricher: ConsumerProcess
) -> None:
    await known_comments(scene, portal)
    portal.calls.clear()

    assert await scene.once()

    methods = [call.method for call in portal.calls]
    assert not [method for method in methods if method.startswith("event.offline")]
    assert "batch" in methods
    assert 0 < await scene.redis.ttl(f"b24:no-queue:{{{portal.member_id}}}") <= 24 * 3600


@pytest.mark.parametrize(
    "step",
    [after(GapBook.note), after(OncePublisher.publish)],
    ids=lambda step: step.partition(":")[2],
)
async def test_killed_in_the_middle_it_is_followed_by_one_that_goes_on(
    scene: Scene,
    portal: LivePortal,
    enricher: ConsumerProcess,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    expected = await missed_changes(scene, portal)
    monkeypatch.setenv("RIGGED", f"{step} SIGKILL")
    killed = scene.start("--once", module="tests.integration.missed_events.rigged")
    assert await killed.ended() == -signal.SIGKILL, killed.log
    await scene.redis.delete("b24:reconcile:lease")  # which would expire

    assert await scene.once()

    assert await recovered(scene) == expected
    (gap,) = await scene.gaps(portal)
    assert gap.events == 3


async def test_many_entities_cost_few_requests_and_no_more_than_allowed(
    scene: Scene, portal: LivePortal, enricher: ConsumerProcess
) -> None:
    scene.change("reconcile", sweep_calls=3)
    await scene.receive()
    for deal in range(1, 221):
        add(portal, "hello", deal=deal)
    await told_of(scene, 220)
    portal.calls.clear()

    assert await scene.once()
    assert await scene.once()

    listed = [call for call in portal.calls if call.method == "batch"]
    entities = {
        command.parameters["filter"]["ENTITY_ID"] for call in listed for command in call.commands
    }
    assert len(listed) <= 6
    assert len(entities) == 200  # those heard of last, [reconcile] sweep_entities


async def test_an_inbound_webhook_is_enough_to_sweep(scene: Scene, sandbox: Sandbox) -> None:
    """Its user may read comments, and an application's queue is none of its business."""
    portal = await scene.add_portal()
    await scene.install(portal, has_queue=False)
    scene.call_by_webhook(portal)
    with enriching(scene):
        expected = await missed_changes(scene, portal)

        assert await scene.once()

    assert await recovered(scene) == expected


@pytest.mark.parametrize(
    "listed",
    [
        {"result": {"0": False}},
        {"result": {"0": None}},
        {"result": [], "result_error": {"0": {"error": "ACCESS_DENIED"}}},
    ],
    ids=["false", "null", "refused"],
)
async def test_a_list_that_fails_does_not_say_that_comments_are_gone(
    scene: Scene, portal: LivePortal, enricher: ConsumerProcess, listed: dict[str, Any]
) -> None:
    comment_ids = await known_comments(scene, portal)

    async def no_list(_request: web.Request, parameters: Any) -> web.StreamResponse | None:
        is_list = "crm.timeline.comment.list" in str(parameters)
        return web.json_response({"result": listed}) if is_list else None

    portal.faults.mood = no_list
    assert await scene.once()
    portal.faults.mood = None
    assert await recovered(scene) == []

    if "result_error" not in listed:  # else it is known again when it is heard of
        portal.faults.loses_events = True
        portal.comments.delete(comment_ids[0])
        portal.faults.loses_events = False
        assert await scene.once()
        assert await recovered(scene) == [(comment_ids[0], "deleted", True)]
