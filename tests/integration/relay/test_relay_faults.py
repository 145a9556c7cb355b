"""Something dies under the relay: nothing is lost, and nothing is out of order."""

from functools import partial
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway.contract import CommentEvent
from gateway.local.redis_server import RedisServer, free_port
from gateway.redis_access import connections
from tests.integration.notifier.processes import comment_event, publish
from tests.integration.relay.receiver_process import ReceiverProcess
from tests.integration.relay.receivers import Receiver, receiver
from tests.integration.relay.relaying import are_there, endpoint, relay_process
from tests.support.eventually import eventually

pytestmark = pytest.mark.timeout(300)

CONCURRENCY = 8
SUBJECTS = 12


def some_events(count: int) -> list[CommentEvent]:
    return [comment_event(number % SUBJECTS) for number in range(count)]


def by_subject(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    """The ids of each subject in their order, each where it came first."""
    found: dict[str, list[str]] = {}
    for event_id, subject in dict.fromkeys(pairs):
        found.setdefault(subject, []).append(event_id)
    return found


def taken_by(one: Receiver) -> list[tuple[str, str]]:
    return [(pushed.id, pushed.subject) for pushed in one.taken]


def was_asked(process: ReceiverProcess, times: int) -> bool:
    return sum(map(len, process.asked())) >= times


def has_taken(one: Receiver, count: int) -> bool:
    """Whether so many different events were taken."""
    return len(set(taken_by(one))) >= count


async def test_a_receiver_that_is_killed_loses_nothing_and_doubles_what_it_did_not_answer(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    events = some_events(900)
    sent = by_subject([(event.id, event.subject) for event in events])
    with (
        ReceiverProcess(tmp_path, free_port()) as process,
        relay_process(redis_url, tmp_path, endpoint("killed", process.url)),
    ):
        process.launch()
        await eventually(lambda: are_there(redis, "killed"))
        await publish(redis, *events)
        for so_far in (100, 300, 500):
            await eventually(partial(was_asked, process, so_far))
            process.kill()
            process.launch()
        await eventually(
            lambda: len({one for run in process.asked() for one in run}) == 900, timeout_s=90
        )
        await eventually(lambda: is_settled(redis, "killed"))
        runs = process.asked()

    asked = [one for run in runs for one in run]
    assert by_subject(asked) == sent
    unanswered = {one for run in runs[:-1] for one in run[-CONCURRENCY:]}
    doubled = {one for one in asked if asked.count(one) > 1}
    assert doubled <= unanswered
    assert len(asked) <= 900 + 3 * CONCURRENCY


async def test_an_endpoint_that_hangs_delays_no_other_and_gets_all_when_it_answers_again(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    events = some_events(700)  # more than an endpoint has in hand
    async with receiver() as hanging, receiver() as other:
        hanging.gate.clear()
        with relay_process(
            redis_url,
            tmp_path,
            endpoint("hanging", hanging.url, timeout_s=1.0),
            endpoint("other", other.url),
        ):
            await eventually(lambda: are_there(redis, "hanging", "other"))
            await publish(redis, *events)
            await eventually(lambda: len(other.taken) == 700, timeout_s=60)
            assert hanging.taken == []
            hanging.gate.set()
            await eventually(lambda: len({one.id for one in hanging.taken}) == 700, timeout_s=90)

    sent = by_subject([(event.id, event.subject) for event in events])
    assert by_subject(taken_by(other)) == by_subject(taken_by(hanging)) == sent
    assert len(other.asked) == 700


async def test_a_restart_of_redis_or_of_the_relay_loses_nothing(
    own_server: RedisServer, tmp_path: Path
) -> None:
    events = some_events(600)
    async with (
        receiver() as one,
        receiver() as other,
        connections.control(own_server.url) as redis,
    ):
        with relay_process(
            own_server.url, tmp_path, endpoint("one", one.url), endpoint("other", other.url)
        ) as relay:
            await eventually(lambda: are_there(redis, "one", "other"))
            await publish(redis, *events[:200])
            await eventually(lambda: len(one.taken) >= 50)
            own_server.kill()
            own_server.start()
            await publish(redis, *events[200:400])
            await eventually(lambda: len(one.taken) >= 250)
            relay.kill()
            relay.launch()
            await publish(redis, *events[400:])
            for each in (one, other):
                await eventually(
                    partial(has_taken, each, 600),
                    timeout_s=90,
                )
            await eventually(lambda: is_settled(redis, "one"))

    sent = by_subject([(event.id, event.subject) for event in events])
    assert by_subject(taken_by(one)) == by_subject(taken_by(other)) == sent


async def test_a_relay_that_is_told_to_stop_ends_what_is_under_way_and_doubles_nothing(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    events = some_events(300)
    async with receiver() as one:
        with relay_process(redis_url, tmp_path, endpoint("crm", one.url)) as relay:
            await eventually(lambda: are_there(redis, "crm"))
            await publish(redis, *events)
            for least in (50, 150):
                await eventually(partial(has_taken, one, least))
                assert await relay.stop() == 0
                relay.launch()
            await eventually(lambda: len(one.taken) == 300)
            await eventually(lambda: is_settled(redis, "crm"))
            assert await relay.stop() == 0

    assert len(taken_by(one)) == len(set(taken_by(one))) == len(one.asked) == 300


async def is_settled(redis: Redis, name: str) -> bool:
    """Whether the endpoint has nothing pending."""
    for group in await redis.xinfo_groups("b24:comments:{0}"):
        if group["name"].decode() == f"relay-{name}":
            return bool(group["pending"] == 0)
    return False
