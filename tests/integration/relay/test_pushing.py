"""What endpoints get: everything of theirs, signed, in order, and nothing twice."""

from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http
from cloudevents.core.formats.json import JSONFormat
from msgspec import json
from redis.asyncio import Redis
from standardwebhooks import Webhook

from gateway.contract import COMMENT_ADDED, encode_event
from gateway.local.redis_server import free_port
from tests.integration.notifier.processes import comment_event, publish
from tests.integration.relay.receivers import SECRET, Receiver, receiver
from tests.integration.relay.relaying import are_there, endpoint, gateway_command, relay_process
from tests.integration.runtime.probes import get
from tests.support.contract_schemas import judge_headers, judge_payload
from tests.support.eventually import eventually


async def test_each_endpoint_gets_its_events_in_order(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with receiver() as one, receiver() as other:
        added = endpoint("added", other.url, types=["*.comment.added"])
        with relay_process(redis_url, tmp_path, endpoint("all", one.url), added):
            await eventually(lambda: are_there(redis, "all", "added"))
            events = [comment_event(number % 7) for number in range(60)]
            events += [comment_event(3, COMMENT_ADDED)]
            await publish(redis, *events)
            await eventually(lambda: len(one.taken) == 61)
            await eventually(lambda: len(other.taken) == 1)

    for number in range(7):
        subject = f"comment/{number}"
        assert one.of(subject) == [event.id for event in events if event.subject == subject]
    assert len(one.asked) == 61
    assert other.taken[0].event["type"] == COMMENT_ADDED


@pytest.mark.parametrize("mode", ["structured", "binary"])
async def test_a_delivery_is_the_event_of_the_stream(
    redis: Redis, redis_url: str, tmp_path: Path, mode: str
) -> None:
    event = comment_event(9)
    async with receiver() as one:
        with relay_process(redis_url, tmp_path, endpoint("crm", one.url, mode=mode)):
            await eventually(lambda: are_there(redis, "crm"))
            await publish(redis, event)
            await eventually(lambda: one.taken)

    (pushed,) = one.taken
    assert pushed.id == event.id
    assert (pushed.body == encode_event(event)) is (mode == "structured")
    read = from_http(HTTPMessage(headers=pushed.headers, body=pushed.body), JSONFormat())
    assert (read.get_id(), read.get_subject()) == (event.id, "comment/9")
    data: Any = read.get_data()
    assert data["comment_id"] == 9
    Webhook(SECRET).verify(pushed.body, pushed.headers)
    message = "PushedEvent" if mode == "structured" else "PushedData"
    judge_headers(message, pushed.headers)
    judge_payload(message, json.decode(pushed.body))


async def test_a_receiver_that_is_away_gets_everything_later_in_order(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with receiver() as one, receiver() as other:
        with relay_process(
            redis_url, tmp_path, endpoint("away", one.url), endpoint("there", other.url)
        ) as relay:
            await eventually(lambda: are_there(redis, "away", "there"))
            await one.stop()
            events = [comment_event(number % 5) for number in range(40)]
            await publish(redis, *events)
            await eventually(lambda: len(other.taken) == 40)
            await eventually(lambda: relay.lines("endpoint takes no events"))
            await one.start()
            await eventually(lambda: len(one.taken) == 40)

        assert len(relay.lines("endpoint takes no events")) == 1
        assert len(relay.lines("endpoint takes events again")) == 1
        assert relay.lines("attempt failed") == []
    _in_order(one, [event.id for event in events])
    assert len({pushed.id for pushed in one.taken}) == 40


def _in_order(one: Receiver, ids: list[str]) -> None:
    subjects = {pushed.id: pushed.subject for pushed in one.taken}
    for subject in set(subjects.values()):
        assert one.of(subject) == [each for each in ids if subjects[each] == subject]


async def test_what_is_known_of_an_endpoint_goes_with_its_group(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with receiver() as one:
        with relay_process(redis_url, tmp_path, endpoint("crm", one.url)):
            await eventually(lambda: are_there(redis, "crm"))
            await publish(redis, comment_event(1))
            await eventually(lambda: redis.hexists("b24:relay:endpoints", "crm"))
        await gateway_command(redis_url, "groups", "remove", "relay-crm", "--yes")

    assert not await redis.exists("b24:relay:endpoints")
    assert [key async for key in redis.scan_iter("*relay-crm*")] == []


async def test_metrics_say_how_endpoints_stand(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with receiver() as one:
        endpoints = endpoint("crm", one.url), endpoint("away", f"http://127.0.0.1:{free_port()}/")
        port = free_port()
        with relay_process(redis_url, tmp_path, *endpoints, port=port):
            await eventually(lambda: are_there(redis, "crm", "away"))
            await publish(redis, comment_event(1))
            await eventually(lambda: one.taken)
            samples: set[str] = set()

            async def is_told() -> bool:
                samples.update((await get(port, "/metrics"))[1].splitlines())
                return 'b24_relay_endpoint_is_away{endpoint="away"} 1.0' in samples

            await eventually(is_told)
            assert (await get(port, "/readyz"))[0] == 200  # the endpoint's fault, not ours

    assert samples >= {
        'b24_relay_attempts_total{endpoint="crm",outcome="delivered"} 1.0',
        'b24_relay_endpoint_is_away{endpoint="crm"} 0.0',
        'b24_relay_endpoints_paused_total{endpoint="crm",reason="gone"} 0.0',
    }
