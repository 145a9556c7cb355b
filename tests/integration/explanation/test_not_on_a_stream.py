"""`gateway explain` of what is on no stream: in a spool, quarantined, trimmed, never there."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis
from uuid_utils import uuid7

from gateway.contract import EntryId, encode_event
from gateway.local.redis_server import RedisServer, free_port
from gateway.portals.quarantine import Quarantine, Sealed
from gateway.sandbox.bodies import body_of
from gateway.sandbox.portal import SANDBOX
from gateway.settings import QuarantineSettings
from tests.integration.explanation.asked import explained, told
from tests.integration.runtime.running import comment_event, publish
from tests.support.receiver_process import Receiver, receiving

KEY = "b24:events:{0}"
DAY_MS = 86_400_000


async def delivered(receiver: Receiver, comment_id: int) -> tuple[str, str]:
    """The id of a delivery's event, and where it was stored."""
    body = body_of("comment.updated", portal=SANDBOX, ts=int(time.time()), subject_id=comment_id)
    url = f"http://127.0.0.1:{receiver.port}/bitrix24/events"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=headers) as answer,
    ):
        assert answer.status == 200
        return answer.headers["X-Event-Id"], answer.headers["X-Event-Stored"]


@pytest.fixture
async def receiver(own_server: RedisServer, tmp_path: Path) -> AsyncIterator[Receiver]:
    async with receiving(tmp_path, own_server.url) as one:
        yield one


async def test_what_waits_in_the_spool_is_found_while_redis_is_away_and_when_it_hangs(
    own_server: RedisServer, receiver: Receiver, tmp_path: Path
) -> None:
    here = {"GATEWAY_SPOOL_DIR": str(tmp_path / "spool")}
    before, stored = await delivered(receiver, 7)
    assert stored == "stream"
    own_server.kill()
    event_id, stored = await delivered(receiver, 8)
    assert stored == "spool"

    way = await explained(own_server.url, event_id, exit_code=1, environ=here)
    other = await explained(own_server.url, before, exit_code=1, environ=here)
    by_comment = await explained(own_server.url, "--comment", "8", exit_code=1, environ=here)
    text = await told(own_server.url, event_id, exit_code=1, environ=here)

    assert (way["is_found"], way["spool"]["is_here"]) == (True, True)
    assert way["event"]["subject"] == "comment/8"
    assert str(own_server.port) in way["why_no_redis"]
    assert (other["is_found"], other["spool"]["is_here"]) == (False, False)
    assert by_comment["event_id"] == event_id
    assert "spool         waits on this machine since " in text
    assert "of streams and groups, no more is known" in text

    own_server.start()
    own_server.pause()
    try:
        hanging = await explained(
            own_server.url, event_id, "--within", "2", exit_code=1, environ=here
        )
    finally:
        own_server.resume()
    assert hanging["spool"]["is_here"]
    assert hanging["why_no_redis"]


async def test_what_is_not_here_says_how_far_it_was_looked_for(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    await publish(redis, KEY, [comment_event(1)])

    way = await explained(redis_url, str(uuid7()), exit_code=1)
    text = await told(redis_url, str(uuid7()), exit_code=1)
    nothing = await told(redis_url, "--comment", "99", exit_code=1)

    assert not way["is_found"]
    assert [one["is_whole"] for one in way["looked"]] == [True]
    assert way["spool"]["why_not_known"].startswith("there is no spool in")
    assert "not here      it is on no stream that was seen, and in no spool of" in text
    assert "events/0 was looked through from " in text
    assert nothing.startswith("not here      no such event on any stream")


async def test_what_was_trimmed_is_told_by_where_the_stream_begins(
    redis: Redis, redis_url: str
) -> None:
    event = comment_event(1)
    await publish(redis, KEY, [event, comment_event(2)])
    await redis.xtrim(KEY, maxlen=1, approximate=False)

    text = await told(redis_url, event.id, exit_code=1)

    assert "; it begins at " in text


async def test_an_event_that_waited_for_hours_is_found_behind_many_others(
    redis: Redis, redis_url: str
) -> None:
    """As one that a spool held back: its id is older than its entry's by far."""
    now_ms = int(time.time() * 1000)
    late = comment_event(3, event_id=id_at(now_ms - DAY_MS // 4))
    async with redis.pipeline(transaction=False) as pipeline:
        for number in range(3000):
            at = EntryId(now_ms - DAY_MS // 4 + number * 7000)
            event = comment_event(number + 10, event_id=id_at(at.ms))
            pipeline.xadd(KEY, {"event": encode_event(event)}, id=str(at))
        pipeline.xadd(KEY, {"event": encode_event(late)})
        await pipeline.execute()

    assert (await explained(redis_url, late.id))["event"]["subject"] == "comment/3"


async def test_a_recovered_event_is_found_by_when_it_was_recovered(
    redis: Redis, redis_url: str
) -> None:
    now_ms = int(time.time() * 1000)
    event = comment_event(3, event_id=id_at(now_ms - 20 * DAY_MS))
    await publish(redis, KEY, [comment_event(1)])
    await publish(redis, KEY, [event])
    await redis.zadd("b24:recovered:{0}", {event.id: now_ms})

    way = await explained(redis_url, event.id)

    assert way["event"]["subject"] == "comment/3"
    assert way["looked"][0]["since"] > way["received_at"]


async def test_a_delivery_in_the_quarantine_is_found_by_its_id(
    redis: Redis, redis_url: str
) -> None:
    receipt_id = str(uuid7())
    now_ms = int(time.time() * 1000)
    quarantine = Quarantine(redis, QuarantineSettings(), prefix="b24")
    kept = Sealed("acme", receipt_id, now_ms, b"d" * 32, b"sealed")
    assert await quarantine.keep([kept], now_ms=now_ms) == ["kept"]
    portals = '[{"member_id": "acme", "domain": "acme.example", "application_tokens": ["fake"]}]'

    way = await explained(redis_url, receipt_id, exit_code=1, environ={"GATEWAY_PORTALS": portals})

    assert way["quarantined_for"] == "acme"


async def test_spools_of_other_machines_are_named_as_a_place_to_ask(
    redis: Redis, redis_url: str
) -> None:
    now_ms = int(time.time() * 1000)
    asked: Any = redis.hset("b24:spools", "another", f"{now_ms} {now_ms - 60_000}")
    await asked

    text = await told(redis_url, str(uuid7()), exit_code=1)

    assert "events wait in receivers' spools since " in text


async def test_what_is_no_id_is_refused(redis_url: str) -> None:
    assert await told(redis_url, "b24-1", exit_code=2) == ""
    assert await told(redis_url, exit_code=2) == ""
    assert await told(redis_url, "--portal", "acme", exit_code=2) == ""


async def test_a_server_that_is_not_there_is_told_as_such() -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"

    way = await explained(url, str(uuid7()), exit_code=1)

    assert way["why_no_redis"]
    assert "not known     it is in no spool of this machine; " in await told(
        url, str(uuid7()), exit_code=1
    )


async def test_the_events_of_a_portal_about_a_time_are_listed_the_nearest_first(
    redis: Redis, redis_url: str
) -> None:
    events = [comment_event(number, event_id=str(uuid7())) for number in (1, 2, 3)]
    await publish(redis, KEY, events)

    way = await explained(redis_url, "--portal", "acme.bitrix24.com", "--at", "5s")
    by_comment = await explained(redis_url, "--comment", "2", "--portal", "portal")
    none = await told(redis_url, "--comment", "2", "--portal", "another", exit_code=1)
    text = await told(redis_url, "--portal", "portal", "--at", "5s")

    assert {one["event_id"] for one in way["others"]} == {event.id for event in events}
    assert way["event_id"] == way["others"][0]["event_id"]
    assert (by_comment["event_id"], by_comment["others"]) == (events[1].id, [])
    assert none.startswith("not here")
    assert text.startswith("EVENT ")


def id_at(ms: int) -> str:
    """The id of an event that was received then."""
    return str(uuid7(nanoseconds=ms * 1_000_000))
