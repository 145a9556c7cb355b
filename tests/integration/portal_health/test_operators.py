"""What an operator gets of a silent portal: one line, one metric, one message, and one at its end.

The process that looks, the notifier and the sink are real; the weeks before are seeded.
"""

import time
from pathlib import Path

import aiohttp
import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gateway.settings import PortalSettings
from tests.integration.missed_events.conftest import Reconcilers, reconcilers
from tests.integration.missed_events.reconciler import Reconciler
from tests.integration.notifier.processes import notifier_process
from tests.integration.notifier.sinks import http_sink
from tests.integration.portal_health.seeding import count, known_for_weeks
from tests.support.eventually import eventually

__all__ = ["reconcilers"]

PORTAL = PortalSettings(
    member_id="0123456789abcdef0123456789abcdef",
    domain="acme.bitrix24.com",
    application_tokens=("fake-token",),
)
ROUTE = """
stream = "events"
allow_private = true
[[notifier.routes]]
name = "operators"
urls = ["{url}"]
events = ["bitrix24.portal.*"]
window_s = 0
[[notifier.routes]]
name = "everybody"
urls = ["{url}"]
"""


async def is_reading(redis: Redis) -> bool:
    """Whether the notifier's group is there: from then on it sees every event."""
    try:
        return bool(await redis.xinfo_groups("b24:events:{0}"))
    except ResponseError:
        return False


async def is_silent(one: Reconciler) -> bool:
    url = f"http://127.0.0.1:{one.port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        line = f'b24gw_portal_trouble{{member_id="{PORTAL.member_id}",trouble="silent"}} 1.0'
        return line in await response.text()


async def test_a_silent_portal_is_one_message_and_one_more_when_it_is_heard_again(
    redis: Redis, redis_url: str, tmp_path: Path, reconcilers: Reconcilers
) -> None:
    now = time.time()
    await known_for_weeks(redis, PORTAL.member_id, now=now - 7200)
    await count(redis, {PORTAL.member_id: 4}, first=now - 7200, last=now - 7000)
    await count(redis, {}, first=now - 7000, last=now + 1800)
    settings = {
        "PORTALS": msgspec.json.encode([PORTAL]).decode(),
        "RECONCILE_SILENCE_EVERY_S": "0.2",
        "RECONCILE_SILENCE_ASKS": "false",
    }
    async with http_sink() as sink:
        with notifier_process(redis_url, ROUTE.format(url=sink.url), tmp_path):
            await eventually(lambda: is_reading(redis))
            first, second = reconcilers(**settings), reconcilers(**settings)
            await eventually(lambda: len(sink.received) == 1)
            leader = first if first.lines("a portal has fallen silent") else second
            await eventually(lambda: is_silent(leader))
            leader.kill()  # the next one goes on from what is remembered
            await eventually(lambda: bool(first.lines("leading") and second.lines("leading")))

            follower = second if leader is first else first
            await eventually(lambda: is_silent(follower))
            await count(redis, {PORTAL.member_id: 1}, first=time.time(), last=time.time() + 1)
            await eventually(lambda: len(sink.received) == 2)

            async def is_well() -> bool:
                return not await is_silent(follower)

            await eventually(is_well)

    titles = [received.body["title"] for received in sink.received]
    assert titles == [
        "No more events from acme.bitrix24.com",
        "Events come from acme.bitrix24.com again",
    ]
    (line,) = [
        *first.lines("a portal has fallen silent"),
        *second.lines("a portal has fallen silent"),
    ]
    assert line["domain"] == "acme.bitrix24.com"
    (end,) = follower.lines("a trouble of a portal is over")
    assert 6900 < end["lasted_s"] < 7300
