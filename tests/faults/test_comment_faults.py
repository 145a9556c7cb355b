"""The portal fails at every request that one certain comment is in."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web
from redis.asyncio import Redis

from gateway.contract import Comment, CommentEvent, decode_event
from gateway.redis_access import connections
from gateway.sandbox.assembly import open_sandbox
from gateway.sandbox.faults import error_page
from tests.integration.runtime.running import comment_event, publish
from tests.support.eventually import eventually
from tests.support.stage import COUNTED, Stage

_EVENTS, _COMMENTS = "b24:events:{0}", "b24:comments:{0}"


@pytest.mark.short
async def test_one_comment_among_fifty_cannot_be_read(stage: Stage) -> None:
    server = stage.server()
    async with open_sandbox() as sandbox, connections.control(server.url) as redis:
        portal = await sandbox.add_portal(member_id="portal", requests_per_s=50, burst=50)
        ids = [
            portal.comments.add(entity_type="deal", entity_id=2, text=f"text {number}", author_id=7)
            for number in range(50)
        ]
        unreadable = ids[12]

        async def fail(_: web.Request, parameters: Mapping[str, Any]) -> web.StreamResponse | None:
            commands = json.dumps(parameters.get("cmd", parameters))
            is_in = f'id={unreadable}"' in commands or f"id={unreadable}&" in commands
            return error_page(500) if is_in else None

        portal.faults.mood = fail
        await publish(redis, _EVENTS, [comment_event(comment_id) for comment_id in ids])
        portals = [
            {
                "member_id": "portal",
                "domain": "portal.example",
                "application_tokens": ["fake0application0token"],
                "rest_webhook": portal.webhook_url,
            }
        ]
        worker = stage.worker(
            "enricher",
            server.url,
            {"GATEWAY_PORTALS": json.dumps(portals), "GATEWAY_REDIS_PARTITIONS": "1"},
        )
        await eventually(lambda: _has(redis, 50), timeout_s=60)
        found = await _comments(redis)
        await stage.until_green()
        assert await worker.stop() == 0

    states = {comment_id: (comment.state, comment.reason) for comment_id, comment in found.items()}
    assert states.pop(unreadable) == ("unavailable", "unreadable")
    assert set(states.values()) == {("present", None)}
    assert len(states) == 49
    stage.remark = COUNTED


async def _has(redis: Redis, count: int) -> bool:
    return bool(await redis.xlen(_COMMENTS) >= count)


async def _comments(redis: Redis) -> dict[int, Comment]:
    """What came first of each comment."""
    found: dict[int, Comment] = {}
    entries: Any = await redis.xrange(_COMMENTS)
    for _id, fields in entries:
        event = decode_event(fields[b"event"])
        assert isinstance(event, CommentEvent)
        assert isinstance(event.data.comment, Comment)
        found.setdefault(event.data.comment_id, event.data.comment)
    return found
