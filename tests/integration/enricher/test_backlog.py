"""A portal with a long backlog, slow or hanging, is read past: others have their turn."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest

from consumers.runtime import in_flight
from consumers.testing import comment_event
from gateway.contract import CommentEvent, decode_event
from tests.integration.enricher.conftest import COMMENTS, EVENTS, Scene
from tests.support.eventually import eventually


@pytest.fixture(autouse=True)
def small_hands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_flight, "_MAX_GATHERED", 1000)


async def published(scene: Scene, events: Sequence[CommentEvent]) -> None:
    for first in range(0, len(events), 1000):
        await scene.publish(events[first : first + 1000])


async def out_of(scene: Scene, member_id: str) -> list[CommentEvent]:
    entries: Any = await scene.redis.xrange(COMMENTS)
    found = []
    for _id, fields in entries:
        event = decode_event(fields[b"event"])
        if isinstance(event, CommentEvent) and event.data.member_id == member_id:
            found.append(event)
    return found


@pytest.mark.parametrize("delay_s", [3600.0, 0.0], ids=["hanging", "working"])
async def test_a_backlog_of_one_portal_delays_others_by_seconds(
    scene: Scene, delay_s: float
) -> None:
    large = await scene.portal("large", requests_per_s=2.0, burst=2.0)
    others = [await scene.portal(f"other{number}") for number in range(5)]
    large.faults.delay_s = delay_s
    backlog = [comment_event(1 + number % 3000, member_id="large") for number in range(4000)]
    await published(scene, backlog)
    for other in others:
        ids = scene.written(other, 10)
        await scene.publish([comment_event(one, member_id=other.member_id) for one in ids])
    settings = scene.settings(rest={"requests_per_s": 2.0, "burst": 2, "request_timeout_s": 60.0})

    async def are_out() -> bool:
        return all([len(await out_of(scene, one.member_id)) == 10 for one in others])

    async with scene.enriching(settings):
        await eventually(are_out, timeout_s=15)
        assert len(await out_of(scene, "large")) < 1500

        async def are_all_read() -> bool:
            (group,) = await scene.redis.xinfo_groups(EVENTS)
            return bool(group["lag"] == 0)

        await eventually(are_all_read)
        rows = await scene.redis.xpending_range(EVENTS, "enricher", "-", "+", 5000)
        assert {row["times_delivered"] for row in rows} == {1}


async def test_what_was_set_aside_comes_out_once_and_in_order_even_after_a_restart(
    scene: Scene,
) -> None:
    large = await scene.portal("large")
    ids = scene.written(large, 60)
    backlog = [comment_event(ids[number % 60], member_id="large") for number in range(3000)]
    large.faults.delay_s = 3600.0
    await published(scene, backlog)

    async def are_all_read() -> bool:
        groups = await scene.redis.xinfo_groups(EVENTS)
        return bool(groups and groups[0]["lag"] == 0)

    async with scene.enriching():
        await eventually(are_all_read)
    rows = await scene.redis.xpending_range(EVENTS, "enricher", "-", "+", 5000)
    assert len(rows) == 3000
    assert {row["times_delivered"] for row in rows} <= {0, 1}

    large.faults.delay_s = 0.0
    async with scene.enriching():
        await scene.until_settled(timeout_s=60)

    order: defaultdict[int, list[str]] = defaultdict(list)
    expected: defaultdict[int, list[str]] = defaultdict(list)
    for event in await out_of(scene, "large"):
        order[event.data.comment_id].append(event.id)
    for event in backlog:
        expected[event.data.comment_id].append(event.id)
    assert order == expected
