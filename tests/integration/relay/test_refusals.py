"""What follows when an endpoint answers, but does not take the event."""

from pathlib import Path

from aiohttp import web
from redis.asyncio import Redis

from gateway.contract import EVENT_FIELD, CommentEvent, encode_event
from tests.integration.notifier.processes import publish
from tests.integration.relay.receivers import Pushed, receiver
from tests.integration.relay.relaying import (
    are_there,
    endpoint,
    gateway_command,
    relay_command,
    relay_process,
)
from tests.integration.runtime.running import comment_event
from tests.support.eventually import eventually

QUICKLY = {"retry_s": [0.3], "give_up_s": 1.5}


def refusing(*events: CommentEvent, status: int = 422) -> dict[str, int]:
    return dict.fromkeys((event.id for event in events), status)


async def test_an_event_that_is_refused_while_others_are_taken_holds_only_its_subject(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    """It becomes a dead letter, the next of its subject goes out, and `retry` brings it back."""
    bad, behind = comment_event(1), comment_event(1)
    others = [comment_event(number) for number in range(2, 40)]
    statuses = refusing(bad)
    async with receiver() as one:
        one.answer = lambda pushed: web.Response(status=statuses.get(pushed.id, 204))
        with relay_process(redis_url, tmp_path, endpoint("crm", one.url), **QUICKLY) as relay:
            await eventually(lambda: are_there(redis, "crm"))
            await redis.xadd("b24:events:{0}", {EVENT_FIELD: encode_event(bad)})  # as it came
            await publish(redis, bad, behind, *others[:10])
            await eventually(lambda: len(one.taken) == 10)
            await publish(redis, *others[10:])  # taken since it was refused: it is to blame
            await eventually(lambda: behind.id in {pushed.id for pushed in one.taken})
            assert [pushed.id for pushed in one.taken if pushed.subject == "comment/1"] == [
                behind.id
            ]
            listed = await gateway_command(redis_url, "dead", "list", "--group", "relay-crm")
            assert "it answered 422, while it took others" in listed.stdout
            told = await gateway_command(redis_url, "explain", bad.id, "--within", "30")
            assert "relay-crm" in told.stdout
            assert "dead letter" in told.stdout

            statuses.clear()
            await gateway_command(
                redis_url, "dead", "retry", "--group", "relay-crm", "--all", "--yes"
            )
            await eventually(lambda: bad.id in {pushed.id for pushed in one.taken})
        assert relay.lines("endpoint takes no events") == []


async def test_gone_pauses_the_endpoint_until_it_is_resumed(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    events = [comment_event(number) for number in range(6)]
    async with receiver() as gone, receiver() as other:
        gone.answer = lambda _pushed: web.Response(status=410)
        endpoints = endpoint("gone", gone.url), endpoint("other", other.url)
        with relay_process(redis_url, tmp_path, *endpoints) as relay:
            await eventually(lambda: are_there(redis, "gone", "other"))
            await publish(redis, *events)
            await eventually(
                lambda: relay.lines("endpoint paused: it gets nothing until it is resumed")
            )
            await eventually(lambda: len(other.taken) == 6)
            groups = await gateway_command(redis_url, "groups")
            assert "relay-gone" in groups.stdout
            listed = await relay_command("list", endpoints=endpoints, GATEWAY_REDIS_URL=redis_url)
            assert "paused" in listed.stdout

            asked = len(gone.asked)
            gone.answer = lambda _pushed: web.Response(status=200)
            await publish(redis, comment_event(7))
            await eventually(lambda: len(other.taken) == 7)
            assert len(gone.asked) == asked
            await gateway_command(redis_url, "groups", "resume", "relay-gone")
            await eventually(lambda: len(gone.taken) == 7)


async def test_an_endpoint_is_left_alone_for_as_long_as_it_asks(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    events = [comment_event(number) for number in range(30)]

    def busy(_pushed: Pushed) -> web.Response:
        return web.Response(status=503, headers={"Retry-After": "3600"})

    async with receiver() as one, receiver() as other:
        one.answer = busy
        with relay_process(
            redis_url,
            tmp_path,
            endpoint("busy", one.url),
            endpoint("other", other.url),
            max_retry_after_s=2.0,
        ):
            await eventually(lambda: are_there(redis, "busy", "other"))
            await publish(redis, *events)
            await eventually(lambda: len(other.taken) == 30)
            assert len(one.asked) <= 8  # those that were under way
            one.answer = lambda _pushed: web.Response(status=200)
            await eventually(lambda: len(one.taken) == 30)


async def test_what_gathered_in_an_outage_goes_out_no_faster_than_it_may(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    events = [comment_event(number) for number in range(60)]
    async with receiver() as one:
        slow = endpoint("slow", one.url, concurrency=3, max_per_second=20)
        await one.stop()
        with relay_process(redis_url, tmp_path, slow) as relay:
            await eventually(lambda: are_there(redis, "slow"))
            await publish(redis, *events)
            await eventually(lambda: relay.lines("endpoint takes no events"))
            await one.start()
            await eventually(lambda: len(one.taken) == 60)

    assert one.most_at_once <= 3
    times = [int(pushed.headers["webhook-timestamp"]) for pushed in one.taken]
    assert max(times.count(second) for second in set(times)) <= 21
    assert len(one.asked) == 60


async def test_pauses_strikes_and_replays_work_as_for_any_group(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with receiver() as one:
        with relay_process(redis_url, tmp_path, endpoint("crm", one.url)) as relay:
            await eventually(lambda: are_there(redis, "crm"))
            await publish(redis, comment_event(1))
            await eventually(lambda: len(one.taken) == 1)

            await gateway_command(redis_url, "groups", "pause", "relay-crm")
            await eventually(lambda: relay.lines("paused"))
            await publish(redis, comment_event(2), comment_event(3))
            struck = "groups", "strike", "relay-crm", "--subject", "comment/2"
            await gateway_command(redis_url, *struck)
            await eventually(lambda: relay.lines("events are struck"))
            assert len(one.asked) == 1
            await gateway_command(redis_url, "groups", "resume", "relay-crm")
            await eventually(lambda: len(one.taken) == 2)
            assert one.taken[1].subject == "comment/3"

            await gateway_command(redis_url, "replay", "--group", "relay-crm", "--from", "1h")
            await eventually(lambda: len(one.taken) >= 4)

    replayed = [pushed for pushed in one.taken if "x-gateway-replay" in pushed.headers]
    assert {pushed.subject for pushed in replayed} >= {"comment/1", "comment/3"}
    assert "x-gateway-replay" not in one.taken[0].headers
