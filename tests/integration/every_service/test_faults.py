"""Whoever of those who hear of changes dies: nothing is lost, and each subject stays in order."""

import asyncio

import pytest

from gateway.contract import Event
from gateway.local.redis_server import RedisServer
from gateway.sandbox.live_portal import LivePortal
from tests.integration.every_service.account import (
    Ask,
    by_subject,
    doubles,
    notified,
    text_of,
    warehoused,
)
from tests.integration.every_service.changes import Changes
from tests.integration.every_service.installation import Installation
from tests.integration.every_service.php_receiver import PhpReceiver
from tests.integration.every_service.stream_reader import StreamReader
from tests.integration.notifier.sinks import HttpSink
from tests.support.eventually import eventually


@pytest.mark.timeout(300)
async def test_nothing_is_lost_and_all_stays_in_order_whoever_dies(
    installation: Installation,
    portal: LivePortal,
    ask: Ask,
    sink: HttpSink,
    php: PhpReceiver,
    reader: StreamReader,
    own_server: RedisServer,
) -> None:
    changes = Changes(portal)
    assert await changes.make(3) == 9
    await eventually(lambda: len(php.taken()) == 12)

    # PHP takes one event, does not answer, and is killed.
    php.hold()
    assert await changes.make(3) == 9
    await eventually(lambda: len(php.taken()) == 13)
    unanswered = php.taken()[-1]["id"]
    await eventually(lambda: len(warehoused(ask)) == len(reader.events) == 21)
    php.kill()
    php.release()
    await php.start()

    # Who is notified hangs.
    sink.delay_s, before = 5.0, len(sink.received)
    assert await changes.make(3) == 9
    await eventually(lambda: len(warehoused(ask)) == len(reader.events) == 30)
    await eventually(lambda: len(php.taken()) == 31)
    sink.delay_s, after = 0.0, len(sink.received)

    # Redis is killed while events are under way, and comes back later.
    making = asyncio.create_task(changes.make(8))
    await eventually(lambda: len(php.taken()) > 34)
    own_server.kill()
    assert await making == 24
    own_server.start()
    await eventually(lambda: len(warehoused(ask)) == len(reader.events) == 54)

    # The gateway's own receiver is killed, and what happens meanwhile is found by its reconciler.
    installation.receiver.kill()
    await changes.begin_others()
    installation.receiver.launch()
    await installation.until_ready()
    assert await changes.make(1) == 3

    async def all_told() -> list[Event]:
        found = await installation.told()
        return found if len(found) == 60 else []

    told = await eventually(all_told, timeout_s=60)
    assert sum(event.recovered is True for event in told) == 3
    ids = [event.id for event in told]
    order = by_subject(told, ids)
    assert {str(event.subject): text_of(event) for event in told} == changes.said

    await eventually(lambda: warehoused(ask).keys() == set(ids))
    await eventually(lambda: {event["id"] for event in php.taken()} == set(ids))
    pushed = [event["id"] for event in php.taken()]
    assert by_subject(told, pushed) == order
    assert doubles(pushed) == {unanswered}
    await eventually(lambda: len(reader.events) >= len(ids))
    streamed = [event["id"] for event in reader.events]
    assert by_subject(told, streamed) == order
    assert not doubles(streamed)

    def notices() -> dict[str, list[str]]:
        return notified(sink.received[:before] + sink.received[after:], told)

    await eventually(lambda: notices() == order, timeout_s=60)
