"""Entries that anybody may put on a stream by hand, and that nobody can read.

Whoever writes to the stream must not be able to stop those who read it: such an entry becomes a
dead letter, and what stands behind it is handled.
"""

import json
import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from consumers.testing import comment_event
from gateway.contract import EVENT_FIELD, DeadLetter, InvalidEvent, decode_event, encode_event
from tests.integration.runtime.running import gateway, settled
from tests.integration.warehouse.opening import environment as warehouse_environment
from tests.support.consumer_process import service
from tests.support.eventually import eventually
from tests.support.starting import finished

GOOD = comment_event(7)
NESTED = b"[" * 5000 + b"]" * 5000


def changed(**fields: object) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(encode_event(GOOD)) | fields)


HOSTILE: dict[str, dict[bytes, bytes]] = {
    "a time of receipt that is none": {b"event": changed(receivedat="nope")},
    "a time of receipt without a zone": {b"event": changed(receivedat="2025-12-18T08:18:53")},
    "a time that is none": {b"event": changed(time="2025-13-18T08:18:53Z")},
    "nested deeply where it is skipped": {
        b"event": encode_event(GOOD)[:-1] + b',"more":' + NESTED + b"}"
    },
    "nested deeply where it is kept": {
        b"event": changed(type="a.type.of.tomorrow").replace(
            b'"data":{', b'"data":{"x":%s,' % NESTED
        )
    },
    "no JSON": {b"event": b"\xff\xfe"},
    "no event": {b"\xff": b"\xfe"},
}
GROUPS = {"audit": "events", "enricher": "events", "notifier": "comments", "warehouse": "comments"}


@pytest.mark.parametrize("fields", HOSTILE.values(), ids=HOSTILE)
def test_what_cannot_be_read_is_no_event(fields: dict[bytes, bytes]) -> None:
    with pytest.raises(InvalidEvent):
        decode_event(fields.get(EVENT_FIELD, b""))


async def publish(redis: Redis) -> None:
    """All of the hostile entries, and a good one behind each of them, on both streams."""
    for stream in ("events", "comments"):
        for fields in HOSTILE.values():
            await redis.xadd(f"b24:{stream}:{{0}}", fields)  # type: ignore[arg-type]
            await redis.xadd(f"b24:{stream}:{{0}}", {EVENT_FIELD: encode_event(GOOD)})


async def test_every_consumer_buries_them_and_handles_what_is_behind(
    redis: Redis, redis_url: str, tmp_path: Path, empty_warehouse: Path
) -> None:
    shutil.copy(empty_warehouse, tmp_path / "warehouse.duckdb")
    await publish(redis)
    for group, stream in GROUPS.items():
        await redis.xgroup_create(f"b24:{stream}:{{0}}", group, "0")
    environment = warehouse_environment(tmp_path) | {
        "GATEWAY_AUDIT_DIR": str(tmp_path / "audit"),
        "GATEWAY_NOTIFIER_ROUTES": json.dumps([{"name": "team", "urls": ["json://127.0.0.1:9/"]}]),
        "GATEWAY_NOTIFIER_ALLOW_PRIVATE": "true",
    }
    with ExitStack() as stack:
        processes = [
            stack.enter_context(service(redis_url, tmp_path, name=group, **environment))
            for group in GROUPS
        ]
        for group, stream in GROUPS.items():

            async def is_through(key: str = f"b24:{stream}:{{0}}", group: str = group) -> bool:
                return await settled(redis, key, group)

            await eventually(is_through, timeout_s=90)
        assert all(one.is_running for one in processes)

    for group in GROUPS:
        found: Any = await redis.xrange(f"b24:dead:{group}:{{0}}")
        letters = [DeadLetter.of(fields) for _id, fields in found]
        assert {letter.reason for letter in letters} == {"undecodable"}, group
        assert len(letters) == len(HOSTILE)
        assert encode_event(GOOD) not in {letter.event for letter in letters}


async def test_no_number_of_them_stops_a_consumer_however_often_it_is_started(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    await redis.xgroup_create("b24:events:{0}", "audit", "0", mkstream=True)

    async def is_through() -> bool:
        return await settled(redis, "b24:events:{0}", "audit")

    for _start in range(2):
        for _ in range(25):  # a consumer's own dead letters would stop it at the twenty-first
            await redis.xadd("b24:events:{0}", HOSTILE["no JSON"])  # type: ignore[arg-type]
        with service(redis_url, tmp_path, name="audit", GATEWAY_AUDIT_DIR=str(tmp_path / "audit")):
            await eventually(is_through, timeout_s=30)

    assert await redis.xlen("b24:dead:audit:{0}") == 50


async def test_looking_at_the_stream_and_comparing_with_it_survives_them(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    await publish(redis)
    letter = {"failed_at": "2025-12-18T08:19:00Z", "attempts": "abc", b"\xff": "x", "event": "{}"}
    await redis.xadd("b24:dead:audit:{0}", letter)  # type: ignore[arg-type]

    shown = await gateway(
        redis_url, "tail", "--since", "10m", "--count", str(2 * len(HOSTILE)), "--json"
    )
    await gateway(redis_url, "tail", "--since", "10m", "--count", str(2 * len(HOSTILE)))
    events = [json.loads(line)["event"] for line in shown.splitlines()]
    assert [event is not None for event in events] == [False, True] * len(HOSTILE)
    dead = ("tail", "--stream", "dead:audit", "--since", "10m", "--count", "1")
    for options in ((), ("--json",)):
        await gateway(redis_url, *dead, *options)
    assert json.loads(await gateway(redis_url, "dead", "list", "--json"))["attempts"] == 0

    done = await finished(
        (sys.executable, "-m", "consumers", "warehouse", "check", "--from", "10m"),
        environment=os.environ | {"GATEWAY_REDIS_URL": redis_url} | warehouse_environment(tmp_path),
    )
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stdout + done.stderr
