"""`gateway reconcile` as a user of Redis with just its documented rights."""

from typing import Any

from gateway.sandbox.live_portal import LivePortal
from tests.integration.missed_events.scene import Scene
from tests.integration.missed_events.test_sweep import add, enriching, recovered, told_of
from tests.support.eventually import eventually
from tests.support.redis_users import denied, rights_of


async def test_the_documented_rights_of_who_looks_after_portals_suffice(
    scene: Scene, portal: LivePortal, users: Any, limited_url: str
) -> None:
    """One portal's queue is drained, the comments of another one are compared."""
    scene.change("reconcile", settle_s=0.3)
    other = await scene.add_portal(plan="basic")
    await scene.install(other, has_queue=False)
    await users(*rights_of("reconciler"))
    with enriching(scene):
        await scene.receive()
        first = {one.member_id: add(one, "one") for one in (portal, other)}
        await told_of(scene, 2)
        scene.change("redis", url=limited_url)
        assert await scene.once()
        for one in (portal, other):
            one.faults.loses_events = True
            one.comments.update(first[one.member_id], text="two")

        async def are_recovered() -> bool:
            assert await scene.once()
            return len(await recovered(scene)) == 2

        await eventually(are_recovered)

    assert [len(await scene.gaps(one)) for one in (portal, other)] == [1, 1]
    assert await denied(scene.redis) == []
