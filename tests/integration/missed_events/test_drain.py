"""Draining a portal's queue: what is published, what is cleared, and what is waited for."""

import time
from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis

from gateway.bitrix24.offline_signals import signal
from gateway.local.redis_server import RedisServer
from gateway.publishing.spool.reports import SpoolReporter
from gateway.redis_access import connections
from gateway.sandbox.assembly import Sandbox, open_sandbox
from gateway.sandbox.call_results import SeenCall
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import PortalSettings
from tests.integration.missed_events.draining import add, reserved, until_drained, waiting
from tests.integration.missed_events.scene import Scene, a_scene
from tests.support.eventually import eventually


def asked(portal: LivePortal, method: str) -> list[SeenCall]:
    return [call for call in portal.calls if call.method == method]


async def test_what_nobody_received_is_published_once_and_reported(
    scene: Scene, portal: LivePortal
) -> None:
    comment_ids = add(portal, 20)
    portal.comments.update(comment_ids[0], text="again")
    portal.comments.delete(comment_ids[1])
    await portal.sent()
    assert waiting(scene, portal) == 22

    await until_drained(scene, portal)

    assert sorted(await scene.told()) == sorted(
        [
            *((one, "added", True) for one in comment_ids),
            (comment_ids[0], "updated", True),
            (comment_ids[1], "deleted", True),
        ]
    )
    (gap,) = await scene.gaps(portal)
    assert (gap.events, gap.way) == (22, "queue")
    assert 0 <= gap.last - gap.first <= 5


async def test_the_queue_is_the_applications_where_a_webhook_is_there_for_the_rest(
    scene: Scene, portal: LivePortal
) -> None:
    scene.give_webhook(portal)
    comment_ids = add(portal, 3)
    await portal.sent()

    await until_drained(scene, portal)

    assert sorted(await scene.told()) == sorted((one, "added", True) for one in comment_ids)


async def test_a_portal_that_only_delivers_is_no_failure(scene: Scene) -> None:
    """It has an outgoing webhook, and nothing by which it could be asked."""
    scene.settings = msgspec.structs.replace(
        scene.settings,
        portals=(
            PortalSettings(
                member_id="5a4db0c5000000000000000000000099",
                domain="quiet.bitrix24.example",
                application_tokens=("fake0webhook0application0token00",),
            ),
        ),
    )

    assert await scene.once()


async def test_what_was_received_is_cleared_and_not_doubled(
    scene: Scene, portal: LivePortal
) -> None:
    await scene.receive()
    seen = add(portal, 5)
    portal.comments.update(seen[0], text="again")
    portal.faults.loses_events = True
    missed = add(portal, 3)
    portal.comments.update(seen[1], text="again")

    await until_drained(scene, portal)

    assert sorted(await scene.told()) == sorted(
        [
            *((one, "added", False) for one in seen),
            (seen[0], "updated", False),
            *((one, "added", True) for one in missed),
            (seen[1], "updated", True),
        ]
    )
    (gap,) = await scene.gaps(portal)
    assert gap.events == 4


async def test_a_change_that_has_not_settled_is_left_alone(
    scene: Scene, portal: LivePortal
) -> None:
    scene.change("reconcile", settle_s=3600.0)
    (comment_id,) = add(portal)

    assert await scene.once()

    assert (reserved(scene, portal), await scene.told()) == (0, [])
    portal.comments.update(comment_id, text="again")
    portal.comments.update(comment_id, text="and again")
    assert waiting(scene, portal) == 2


async def test_what_may_still_wait_in_a_spool_is_not_taken_for_missed(
    scene: Scene, portal: LivePortal, redis: Redis, tmp_path: Path
) -> None:
    reporter = SpoolReporter(redis, tmp_path, prefix="b24")
    await reporter.tell(time.time_ns() // 1_000_000 - 10_000)
    add(portal, 3)
    reconciler = scene.start()
    await eventually(lambda: len(asked(portal, "event.offline.list")) > 6)
    assert (waiting(scene, portal), await scene.told()) == (3, [])

    await reporter.tell(0)

    # It vouches for the time up to its report, so others have to follow.
    async def is_drained() -> bool:
        await reporter.tell(1)
        await reporter.tell(0)
        return not waiting(scene, portal)

    await eventually(is_drained)
    assert len(await scene.told()) == 3
    assert await reconciler.stop() == 0


async def test_an_outage_of_redis_doubles_nothing(
    sandbox: Sandbox, own_server: RedisServer, tmp_path: Path
) -> None:
    """What the receiver spooled, and what was in its hands, comes later than it happened."""
    client = connections.control(own_server.url)
    async with a_scene(sandbox, client, own_server.url, tmp_path) as scene:
        portal = await scene.add_portal()
        await scene.install(portal)
        await scene.receive()
        reconciler = scene.start()
        comment_ids = add(portal, 10)
        await eventually(lambda: bool(reconciler.lines("leading")))
        own_server.kill()
        comment_ids += add(portal, 30)
        await portal.sent()
        own_server.start()
        comment_ids += add(portal, 10)

        await eventually(lambda: not waiting(scene, portal), timeout_s=30)

        assert sorted(await scene.told()) == [(one, "added", False) for one in comment_ids]
        assert await scene.gaps(portal) == []
    await client.aclose()


@pytest.mark.parametrize("ahead_s", [3600, -3600])
async def test_a_portal_may_have_another_time(
    redis: Redis, redis_url: str, tmp_path: Path, ahead_s: int
) -> None:
    async with (
        open_sandbox(clock=lambda: time.time() + ahead_s) as sandbox,
        a_scene(sandbox, redis, redis_url, tmp_path) as scene,
    ):
        portal = await scene.add_portal()
        await scene.install(portal)
        await scene.receive()
        (seen,) = add(portal)
        portal.comments.update(seen, text="again")
        await portal.sent()
        portal.faults.loses_events = True
        (missed,) = add(portal)

        await until_drained(scene, portal)

        assert await scene.told() == [
            (seen, "added", False),
            (seen, "updated", False),
            (missed, "added", True),
        ]


async def test_rows_that_cannot_be_read_are_marked_and_do_not_come_again(
    scene: Scene, portal: LivePortal
) -> None:
    queue_of = (scene.sandbox.application.client_id, scene.settings.bitrix24.auth_connector)
    portal.offline.put(*queue_of, "ONCRMTIMELINECOMMENTUPDATE", {}, 1)
    add(portal)

    async def is_marked() -> bool:
        await scene.once()
        rows = portal.offline.rows(*queue_of)
        return [(row.process_id, row.is_error) for row in rows] == [("", True)]

    await eventually(is_marked)

    assert [kind for _, kind, _ in await scene.told()] == ["added"]
    portal.calls.clear()
    await scene.once()
    assert asked(portal, "event.offline.error") == []


async def test_rows_of_another_system_are_not_touched(scene: Scene, portal: LivePortal) -> None:
    queue_of = (scene.sandbox.application.client_id, scene.settings.bitrix24.auth_connector)
    portal.offline.put(*queue_of, "ONCRMDEALUPDATE", {"FIELDS": {"ID": 1}}, 1)
    theirs = portal.offline.reserve(portal.offline.rows(*queue_of))
    portal.offline.put(*queue_of, "ONCRMDEALUPDATE", {"FIELDS": {"ID": 2}}, 1)
    add(portal)

    async def recovered() -> bool:
        await scene.once()
        return len(await scene.told()) == 1

    await eventually(recovered)

    rows = portal.offline.rows(*queue_of)
    assert [(row.event, row.process_id, row.is_error) for row in rows] == [
        ("ONCRMDEALUPDATE", theirs, False),
        ("ONCRMDEALUPDATE", "", False),
    ]


async def test_a_signal_drains_the_queue_once_its_change_has_settled(
    scene: Scene, portal: LivePortal, redis: Redis
) -> None:
    scene.change("reconcile", every_s=3600.0)
    scene.start()
    await eventually(lambda: len(asked(portal, "event.offline.get")) == 1)
    comment_ids = add(portal, 2)
    await signal(redis, portal.member_id, prefix="b24")

    await eventually(lambda: not waiting(scene, portal))

    assert await scene.told() == [(one, "added", True) for one in comment_ids]


@pytest.mark.parametrize("trouble", ["hangs", "is at its limit", "was deleted"])
async def test_a_portal_in_trouble_does_not_hold_up_another_one(
    scene: Scene, sandbox: Sandbox, portal: LivePortal, trouble: str
) -> None:
    other = await sandbox.add_portal(burst=2.0, requests_per_s=0.01)
    await scene.install(other)
    if trouble == "hangs":
        other.faults.delay_s = 30
    elif trouble == "was deleted":
        other.faults.deleted()
    reconciler = scene.start()
    comment_ids = add(portal, 3)
    add(other, 3)

    await eventually(lambda: not waiting(scene, portal), timeout_s=25)  # the other one takes longer

    assert await scene.told() == [(one, "added", True) for one in comment_ids]
    assert waiting(scene, other) == 3
    assert "Traceback" not in reconciler.log


async def test_a_long_outage_is_drained_in_parts(scene: Scene, portal: LivePortal) -> None:
    comment_ids = add(portal, 2500)
    await portal.sent()

    await until_drained(scene, portal)

    assert sorted(await scene.told()) == [(one, "added", True) for one in comment_ids]
    (gap,) = await scene.gaps(portal)
    assert gap.events == 2500
    assert len(asked(portal, "event.offline.clear")) <= 4


async def test_on_a_cluster_it_works_alike(
    sandbox: Sandbox, cluster_url: str, tmp_path: Path
) -> None:
    client = connections.control(cluster_url)
    async with a_scene(sandbox, client, cluster_url, tmp_path) as scene:
        scene.change("redis", partitions=4)
        portal = await scene.add_portal()
        await scene.install(portal)
        comment_ids = add(portal, 40)

        await until_drained(scene, portal)

        assert sorted(await scene.told()) == [(one, "added", True) for one in comment_ids]
        (gap,) = await scene.gaps(portal)
        assert gap.events == 40
    await client.aclose()
