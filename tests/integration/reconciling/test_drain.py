"""Draining a portal's queue: what is published, what is cleared, and what is waited for."""

from gateway.sandbox.live_portal import LivePortal
from tests.integration.reconciling.draining import add, until_drained, waiting
from tests.integration.reconciling.scene import Scene


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


async def test_what_was_received_is_cleared_and_not_doubled(
    scene: Scene, portal: LivePortal
) -> None:
    receiver = await scene.receive()
    seen = add(portal, 5)
    portal.comments.update(seen[0], text="again")
    await portal.sent()
    receiver.kill()
    missed = add(portal, 3)
    portal.comments.update(seen[1], text="again")
    await portal.sent()
    await scene.receive()

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
