"""An installation that is put back goes on: nothing is lost, and nothing is done twice."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from gateway.contract import decode_event
from gateway.drill.delivery_load import DeliveryLoad
from gateway.local.redis_server import RedisServer
from gateway.redis_access import connections
from gateway.sandbox.portal import SANDBOX
from tests.integration.operating.installation import INDEX, Installation, posted
from tests.support.consumer_process import ConsumerProcess
from tests.support.eventually import eventually
from tests.support.spooled import spooled, until_drained


class Machine(Installation):
    """An installation that has an audit log, too; `effects` are those of its service."""

    def __init__(self, directory: Path, redis_url: str) -> None:
        directory.mkdir()
        super().__init__(directory, redis_url)
        self.audit = directory / "audit"
        self._settings |= {"AUDIT_DIR": str(self.audit)}

    async def recorded(self) -> Counter[str]:
        """How often each event is in the audit log."""
        found = await self.said_by_consumers("audit", "show", "--json")
        lines = [line for line in found.stdout.splitlines() if '"kind":"event"' in line]
        return Counter(line.partition('"id":"')[2].partition('"')[0] for line in lines)

    async def verified(self) -> str:
        """What the audit log's verification says last."""
        checked = await self.said_by_consumers("audit", "verify", str(self.audit))
        return checked.stdout.splitlines()[-1]


async def published(redis: Redis) -> list[str]:
    """The ids of the events on the stream, in order; of the gateway's own none."""
    client: Any = redis
    events = [decode_event(fields[b"event"]) for _, fields in await client.xrange("b24:events:{0}")]
    return [event.id for event in events if event.type.startswith("bitrix24.crm")]


def handled(index: ConsumerProcess) -> Counter[str]:
    return Counter(event_id for (event_id,) in index.effects())


async def test_an_installation_is_moved_with_what_waits_in_its_spool(
    own_server: RedisServer, other_server: RedisServer, other: Redis, tmp_path: Path
) -> None:
    here = Machine(tmp_path / "here", own_server.url)
    async with here.receiving() as receiver:
        with here.consuming("audit"), here.consuming(INDEX) as index:
            early = [await posted(receiver, SANDBOX, number) for number in range(1, 21)]
            await eventually(lambda: len(handled(index)) == len(early))
            await eventually(lambda: _is_recorded(here, len(early)))
        unread = [await posted(receiver, SANDBOX, number) for number in range(1, 6)]
        own_server.stop()
        waiting = [await posted(receiver, SANDBOX, number) for number in range(1, 6)]
        assert spooled(here.spool) == len(waiting)
    own_server.start()

    taken = await here.said("backup", str(tmp_path / "kept"))
    assert taken.returncode == 0, taken.stderr
    there = Machine(tmp_path / "there", other_server.url)
    done = await there.said("restore", str(tmp_path / "kept"))
    assert done.returncode == 0, done.stderr

    assert await published(other) == early + unread
    async with there.receiving() as receiver:
        await until_drained(there.spool)
        with there.consuming("audit"), there.consuming(INDEX) as index:
            late = [await posted(receiver, SANDBOX, number) for number in range(1, 6)]
            await eventually(lambda: len(handled(index)) == len(unread + waiting + late))
            await eventually(lambda: _is_recorded(there, len(early + unread + waiting + late)))
    assert await published(other) == early + unread + waiting + late
    assert handled(index) == Counter(unread + waiting + late)
    assert await there.recorded() == Counter(early + unread + waiting + late)
    assert await there.verified() == f"{there.audit}: whole"


async def test_what_left_the_spool_while_the_backup_was_taken_is_not_published_twice(
    own_server: RedisServer, other_server: RedisServer, other: Redis, tmp_path: Path
) -> None:
    here = Machine(tmp_path / "here", own_server.url)
    kept = tmp_path / "kept"
    async with here.receiving() as receiver:
        own_server.stop()
        waiting = [await posted(receiver, SANDBOX, number) for number in range(1, 6)]
        of_spool = await here.said("backup", str(kept / "spool"), "--part", "spool")
        own_server.start()
        await until_drained(here.spool)
    of_redis = await here.said("backup", str(kept / "redis"), "--part", "redis")
    assert (of_spool.returncode, of_redis.returncode) == (0, 0), of_spool.stderr + of_redis.stderr

    there = Machine(tmp_path / "there", other_server.url)
    for part in ("redis", "spool"):
        done = await there.said("restore", str(kept / part))
        assert done.returncode == 0, done.stderr
    assert spooled(there.spool) == len(waiting)
    async with there.receiving():
        await until_drained(there.spool)

    assert await published(other) == waiting


async def test_a_backup_under_load_loses_nothing_of_what_it_has(
    own_server: RedisServer, other_server: RedisServer, other: Redis, tmp_path: Path
) -> None:
    here = Machine(tmp_path / "here", own_server.url)
    kept = tmp_path / "kept"
    await _make_it_last(own_server.url)
    async with here.receiving() as receiver:
        with here.consuming("audit"), here.consuming(INDEX) as index:
            async with DeliveryLoad([receiver.port], rate=200, senders=8) as load:
                await eventually(lambda: len(load.deliveries) > 100)
                taken = await asyncio.gather(
                    *(here.said("backup", str(kept / str(number))) for number in range(3))
                )
                assert [one.returncode for one in taken] == [0, 0, 0], taken
            await eventually(lambda: len(handled(index)) == len(load.deliveries))

    for number in range(3):
        there = Machine(tmp_path / f"there-{number}", other_server.url)
        done = await there.said("restore", str(kept / str(number)), "--replace")
        assert done.returncode == 0, done.stderr
        await _goes_on(there, other, before=handled(index))


async def _goes_on(there: Machine, redis: Redis, *, before: Counter[str]) -> None:
    """What is on the stream of the backup was handled before, or is handled now, once."""
    have = await published(redis)
    with there.consuming("audit"), there.consuming(INDEX) as index:
        await eventually(lambda: _is_through(redis))
    now = handled(index)
    recorded = await there.recorded()  # which has what came after Redis was read, too
    assert have
    assert set(have) == set(have) & set(before) | set(now)
    assert set(have) <= set(recorded)
    assert max((now | recorded).values()) == 1
    assert await there.verified() == f"{there.audit}: whole"


async def _make_it_last(url: str) -> None:
    """Have so many keys that the parts of a backup are of different moments."""
    async with connections.control(url) as redis, redis.pipeline(transaction=False) as pipeline:
        for number in range(20_000):
            pipeline.set(f"b24:notifier:{{ops}}:taken:{number}", "x", px=3_600_000)
        await pipeline.execute()


async def _is_recorded(here: Machine, count: int) -> bool:
    """Whether all of them are in the log."""
    return len(await here.recorded()) >= count


async def _is_through(redis: Redis) -> bool:
    client: Any = redis
    about = await client.xinfo_stream("b24:events:{0}")
    groups = await client.xinfo_groups("b24:events:{0}")
    return all(
        one["last-delivered-id"] == about["last-generated-id"] and not one["pending"]
        for one in groups
    )
