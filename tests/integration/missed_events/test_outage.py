"""The receiver is down while 200 comments change; `make test-missed` lets that take longer."""

import asyncio
import json
import os
from collections import Counter

import pytest
from click.testing import CliRunner

from gateway.cli import cli
from gateway.sandbox.live_portal import LivePortal
from tests.integration.missed_events.draining import add, waiting
from tests.integration.missed_events.scene import Scene
from tests.support.eventually import eventually

OUTAGE_S = float(os.environ.get("OUTAGE_MINUTES", "0.05")) * 60
CHANGES = 200


async def changed(portal: LivePortal, *, within_s: float) -> Counter[tuple[int, str]]:
    """Change 200 comments, spread over a time: new ones, and new texts of old ones."""
    changes: Counter[tuple[int, str]] = Counter()
    old = add(portal, CHANGES // 4)
    changes.update((one, "added") for one in old)
    for number in range(CHANGES - len(old)):
        if number % 3 == 0 and number // 3 < len(old):
            comment_id = old[number // 3]
            portal.comments.update(comment_id, text=f"edited {number}")
            changes[comment_id, "updated"] += 1
        else:
            changes[add(portal)[0], "added"] += 1
        await asyncio.sleep(within_s / (CHANGES - len(old)))
    await portal.sent()
    return changes


async def test_200_comments_that_change_while_the_receiver_is_down_are_each_on_the_stream_once(
    scene: Scene, portal: LivePortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = await scene.receive()
    reconciler = scene.start()
    before = add(portal, 10)
    await portal.sent()

    receiver.kill()
    missed = await changed(portal, within_s=OUTAGE_S)
    assert missed.total() == CHANGES
    await scene.receive()
    after = add(portal, 10)
    await eventually(lambda: not waiting(scene, portal), timeout_s=60)

    told = await scene.told()
    assert Counter((one, kind) for one, kind, is_recovered in told if is_recovered) == missed
    online = [(one, kind) for one, kind, is_recovered in told if not is_recovered]
    assert online == [(one, "added") for one in (*before, *after)]
    for name, value in scene.environment.items():
        monkeypatch.setenv(f"GATEWAY_{name}", value)
    shown = await asyncio.to_thread(CliRunner().invoke, cli, ["portals", "gaps", "--json"])
    gaps = [json.loads(line) for line in shown.stdout.splitlines()]
    assert sum(gap["events"] for gap in gaps) == CHANGES
    assert {gap["found_by"] for gap in gaps} == {"queue"}
    assert await reconciler.stop() == 0
    assert "Traceback" not in reconciler.log
