"""An operator takes what is lost for lost, by the console, and the audit log is told."""

import msgspec
from redis.asyncio import Redis

from gateway.drill.delivery_load import DeliveryLoad
from gateway.operator_record import OPERATOR_ACTED
from tests.support.console_stage import EVENTS, SAME_ORIGIN, ConsoleClient, as_operator
from tests.support.eventually import eventually


async def lose(client: ConsoleClient, redis: Redis) -> int:
    """Let Redis forget what it was given: how many are missing, as the console says."""
    async with DeliveryLoad([client.receiver.port], rate=100, senders=5) as load:
        await load.until_answered_from("stream", timeout_s=20)
    await redis.delete("b24:balance:{0}")

    async def is_open() -> int:
        balance = (await client.api("now"))["balance"]
        return sum(one["count"] for one in balance["missing"] if one["where"] == "redis")

    return int(await eventually(is_open))


async def test_what_is_lost_is_written_off_when_that_is_confirmed_and_it_is_recorded(
    client: ConsoleClient, redis: Redis
) -> None:
    operator = as_operator(client)
    count = await lose(client, redis)
    _, html = await operator.get("now")
    assert "/console/act/write-off" in html
    assert "/console/act/write-off" not in (await client.get("now"))[1]

    _, html = await operator.post("act/write-off", {"why": "an old copy"}, **SAME_ORIGIN)
    assert ("Yes, take them for lost" in html, f"{count} of redis" in html) == (True, True)
    wish = {"confirmed": "1", "why": "an old copy", "missing": f"{count - 1} of redis"}
    asked = msgspec.json.decode((await operator.post("api/write-off", wish))[1])
    assert (asked["is_done"], asked["count"]) == (False, count)

    done = msgspec.json.decode((await operator.post("api/write-off", wish | asked["again"]))[1])
    assert (done["is_done"], done["count"], done["not_recorded"]) == (True, count, None)
    (missing,) = await eventually(lambda: _written_off(client))
    assert (missing["count"], missing["written_off"]) == (count, count)
    act = await _last_act(redis)
    assert (act["action"], act["count"], act["reason"]) == (
        "balance written off",
        count,
        "an old copy",
    )
    assert "group" not in act
    status, answer = await operator.post("api/write-off", wish)
    assert (status, "nothing is missing" in answer) == (404, True)


async def _written_off(client: ConsoleClient) -> list[dict[str, object]]:
    """What is missing once all of it is written off; until then nothing."""
    missing = (await client.api("now"))["balance"]["missing"]
    return [one for one in missing if one.get("written_off")]


async def _last_act(redis: Redis) -> dict[str, object]:
    entries = await redis.xrevrange(EVENTS, count=1)
    event = msgspec.json.decode(entries[0][1][b"event"])  # type: ignore[index]
    assert event["type"] == OPERATOR_ACTED
    return dict(event["data"])
