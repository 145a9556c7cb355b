"""What the enricher knows of comments goes on when the number of partitions changes."""

from typing import Any

from consumers.testing import comment_event
from gateway.contract import Comment, CommentEvent, decode_event
from tests.integration.enricher.conftest import Scene
from tests.support.eventually import eventually
from tests.support.repartitioning import change_partitions, layouts_of, put_events


async def told(scene: Scene) -> list[tuple[str, Comment, bool, int]]:
    """What is on `comments`: event ids, what is said of their comments, if it is old, where."""
    streams, found = await layouts_of(scene.redis), []
    for partition in streams.numbers:
        entries: Any = await scene.redis.xrange(streams.key("comments", partition))
        for _id, fields in entries:
            event = decode_event(fields[b"event"])
            assert isinstance(event, CommentEvent)
            assert isinstance(event.data.comment, Comment)
            is_old = fields.get(b"kind") == b"replay"
            found.append((event.id, event.data.comment, is_old, partition))
    return found


async def test_a_deletion_says_what_was_known_before_the_number_of_partitions_changed(
    scene: Scene,
) -> None:
    portal = await scene.portal()
    comments = scene.written(portal, 6)
    async with scene.enriching():
        for one in comments:
            await scene.happened(portal, one)
        await eventually(lambda: _has(scene, 6))
        await change_partitions(scene.redis, 4)
        portal.comments.delete_entity("deal", 2)
        await put_events(
            scene.redis,
            [comment_event(one, "deleted", member_id=portal.member_id) for one in comments],
        )
        await eventually(lambda: _has(scene, 12))

    deletions = [row for row in await told(scene) if row[3] > 0]
    assert len(deletions) == 6
    assert {row[1].state for row in deletions} == {"deleted"}
    assert {row[1].entity_id for row in deletions} == {2}


async def test_what_could_not_be_had_before_the_change_comes_again_where_its_subject_is_now(
    scene: Scene,
) -> None:
    portal = await scene.portal()
    comments = scene.written(portal, 6)
    portal.faults.is_down = True
    async with scene.enriching(scene.settings(give_up_after_s=0.3)):
        events = [await scene.happened(portal, one) for one in comments]
        await eventually(lambda: _has(scene, 6))
        streams = await change_partitions(scene.redis, 4)
        await eventually(lambda: _is_moved(scene))
        portal.faults.is_down = False
        await eventually(lambda: _has(scene, 12))

    again = [row for row in await told(scene) if row[2]]
    assert {row[0] for row in again} == {event.id for event in events}
    assert {row[1].state for row in again} == {"present"}
    assert {row[3] for row in again} <= set(streams.in_force)


async def _has(scene: Scene, count: int) -> bool:
    return len(await told(scene)) >= count


async def _is_moved(scene: Scene) -> bool:
    return not await scene.redis.exists("b24:refetch:{0}")
