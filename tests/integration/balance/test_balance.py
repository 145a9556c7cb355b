"""The balance of a real installation: processes that are killed, spools that vanish, groups."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from consumers import CommentEvent, Consumer, Event, Reject
from gateway.balance.reading import read_balance
from gateway.contract import Streams
from gateway.drill.delivery_load import DeliveryLoad
from gateway.local.redis_server import RedisServer
from gateway.operator_record import OPERATOR_ACTED
from gateway.redis_access import connections
from tests.integration.runtime.running import comment_event, publish, running
from tests.support.eventually import eventually
from tests.support.receiver_process import Receiver, receiving
from tests.support.spooled import spooled, until_drained
from tests.support.starting import finished

STREAMS = Streams()
EVENTS = STREAMS.key("events", 0)


async def shown(directory: Path, url: str, *arguments: str) -> tuple[dict[str, Any], int]:
    """What `gateway balance` says, and its exit code."""
    done = await finished(
        (sys.executable, "-m", "gateway", "balance", "--json", *arguments),
        environment=os.environ
        | {"GATEWAY_REDIS_URL": url, "GATEWAY_SPOOL_DIR": str(directory / "spool")},
    )
    assert done.stderr == ""
    return json.loads(done.stdout), done.returncode


def door(balance: dict[str, Any]) -> tuple[int, int, int]:
    return tuple(balance["door"][name] for name in ("accepted", "published", "in_spools"))


async def last_act(url: str) -> dict[str, Any]:
    """What an operator did last, by the stream."""
    async with connections.control(url) as redis:
        entries: Any = await redis.xrevrange(EVENTS, count=1)
    ((_, fields),) = entries
    event = json.loads(fields[b"event"])
    assert event["type"] == OPERATOR_ACTED
    return dict(event["data"])


async def sent(receiver: Receiver, count: int, *, stored: str = "stream") -> int:
    """Send until so many were accepted; how many that were."""
    async with DeliveryLoad([receiver.port], rate=100, senders=5) as load:
        await eventually(lambda: sum(one.is_accepted for one in load.deliveries) >= count)
    accepted = [one for one in load.deliveries if one.is_accepted]
    assert {one.stored for one in accepted} == {stored}
    return len(accepted)


async def test_restarts_and_kills_count_each_event_once(redis_url: str, tmp_path: Path) -> None:
    accepted = 0
    for is_killed in (False, True, False):
        async with receiving(tmp_path, redis_url) as receiver:
            accepted += await sent(receiver, 20)
            if is_killed:
                receiver.kill()

    balance, code = await shown(tmp_path, redis_url)

    assert code == 0
    assert door(balance) == (accepted, accepted, 0)
    assert balance["missing"] == []


async def test_what_waits_in_a_spool_is_there_and_a_spool_that_vanishes_is_missing(
    own_server: RedisServer, tmp_path: Path
) -> None:
    async with receiving(tmp_path, own_server.url) as receiver:
        direct = await sent(receiver, 10)
        own_server.stop()
        waiting = await sent(receiver, 15, stored="spool")
        balance, code = await shown(tmp_path, own_server.url)
        assert (code, "does not answer" in balance["why_no_redis"]) == (1, True)
        assert door(balance) == (direct + waiting, direct, waiting)
    own_server.start()
    balance, code = await shown(tmp_path, own_server.url)

    assert (code, balance["why_no_redis"]) == (0, None)
    assert door(balance) == (direct + waiting, direct, waiting)
    assert spooled(tmp_path / "spool") == waiting

    for file in (tmp_path / "spool").glob("spool.sqlite3*"):
        file.unlink()
    async with receiving(tmp_path, own_server.url) as receiver:
        more = await sent(receiver, 5)
        await eventually(lambda: "the balance does not close" in receiver.log)
        open_metric = f"b24gw_balance_open_events {waiting}.0"
        assert open_metric in await receiver.metrics()
    balance, code = await shown(tmp_path, own_server.url)

    assert code == 1
    assert door(balance) == (direct + waiting + more, direct + more, 0)
    (missing,) = balance["missing"]
    assert missing["count"] == waiting
    assert missing["where"].startswith("spool ")
    assert missing["since_ms"] > 0

    why = ("--reason", "the disk of the old machine")
    balance, code = await shown(tmp_path, own_server.url, "--write-off", "--yes", *why)
    assert code == 0
    assert balance["missing"][0]["written_off"] == waiting
    act = await last_act(own_server.url)
    assert (act["action"], act["count"]) == ("balance written off", waiting)
    assert act["selection"] == f"{waiting} of {missing['where']}"
    assert (act["let_in_by"], act["reason"]) == ("command", "the disk of the old machine")
    assert "group" not in act


async def test_a_drained_spool_closes_the_balance(own_server: RedisServer, tmp_path: Path) -> None:
    async with receiving(tmp_path, own_server.url) as receiver:
        own_server.stop()
        waiting = await sent(receiver, 15, stored="spool")
        own_server.start()
        await until_drained(tmp_path / "spool")

    balance, code = await shown(tmp_path, own_server.url)

    assert code == 0
    assert door(balance) == (waiting, waiting, 0)


async def test_a_redis_that_forgot_is_missing(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    async with receiving(tmp_path, redis_url) as receiver:
        accepted = await sent(receiver, 20)
    await redis.hincrby("b24:balance:{0}", "published", -3)

    balance, code = await shown(tmp_path, redis_url)

    assert code == 1
    assert [(one["where"], one["count"]) for one in balance["missing"]] == [("redis", 3)]
    assert balance["door"]["accepted"] == accepted


async def settled(redis: Redis) -> bool:
    groups: Any = await redis.xinfo_groups(EVENTS)
    return bool(groups) and all(one["pending"] == 0 and one["lag"] == 0 for one in groups)


async def test_each_entry_of_a_group_is_somewhere(redis: Redis, redis_url: str) -> None:
    app = Consumer(group="index", stream="events", max_attempts=1)

    @app.on("bitrix24.crm.timeline.comment.*")
    async def index(event: CommentEvent) -> None:
        if event.subject == "comment/3":
            raise Reject("no")

    async with running(app, redis_url):
        await publish(redis, EVENTS, [comment_event(number) for number in range(1, 6)])
        await eventually(lambda: settled(redis))
        balance = await read_balance(redis, STREAMS)
        (sheet,) = balance.groups
        assert (sheet.given, sheet.handled, sheet.dead, sheet.in_hand) == (5, 4, 1, 0)
        assert balance.open == 0

    # Another owner counts on, and what is acknowledged behind its back is missing.
    await publish(redis, EVENTS, [comment_event(6)])
    taken: Any = await redis.xreadgroup("index", "owner", {EVENTS: ">"})
    ((entry_id, _fields),) = taken[EVENTS.encode()]
    await redis.xack(EVENTS, "index", entry_id)
    async with running(app, redis_url):
        await publish(redis, EVENTS, [comment_event(7)])
        await eventually(lambda: settled(redis))
    balance = await read_balance(redis, STREAMS)

    (sheet,) = balance.groups
    assert (sheet.given, sheet.handled, sheet.dead) == (7, 5, 1)
    assert [(one.where, one.count) for one in balance.missing] == [("group index on events", 1)]


async def test_a_group_that_has_worked_before_begins_with_what_it_has(
    redis: Redis, redis_url: str
) -> None:
    await publish(redis, EVENTS, [comment_event(number) for number in range(1, 6)])
    await redis.xgroup_create(EVENTS, "index", "0")
    taken: Any = await redis.xreadgroup("index", "owner", {EVENTS: ">"}, count=3)
    (first, _fields), *_ = taken[EVENTS.encode()]
    await redis.xack(EVENTS, "index", first)
    app = Consumer(group="index", stream="events")
    app.on("*")(_handled)

    async with running(app, redis_url):
        await eventually(lambda: settled(redis))
        balance = await read_balance(redis, STREAMS)

    (sheet,) = balance.groups
    assert (sheet.given, sheet.handled, sheet.missing) == (4, 4, 0)


async def _handled(event: Event) -> None:
    pass


async def test_the_balance_of_a_cluster(cluster_url: str) -> None:
    streams = Streams(partitions=4)
    app = Consumer(group="index", stream="events")
    app.on("*")(_handled)
    async with connections.control(cluster_url) as redis, running(app, cluster_url, partitions=4):
        for partition in range(4):
            await publish(redis, streams.key("events", partition), [comment_event(partition + 1)])

        async def is_handled() -> bool:
            groups = (await read_balance(redis, streams)).groups
            return [one.handled for one in groups] == [4]

        await eventually(is_handled)
        balance = await read_balance(redis, streams)

    assert balance.open == 0
    assert balance.groups[0].given == 4
