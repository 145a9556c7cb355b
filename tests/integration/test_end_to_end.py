"""The main job with real processes: wire bodies in, audit log, warehouse and notifications out.

Every secret of the bodies is replaced by a sentinel that can be searched for afterwards.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import duckdb
import msgspec
import pytest
from redis.asyncio import Redis

from gateway.contract import CommentEvent, decode_event
from gateway.local.redis_server import RedisServer, free_port
from gateway.redis_access import connections
from tests.integration.notifier.sinks import HttpSink, http_sink
from tests.support.connections import is_listening
from tests.support.eventually import eventually
from tests.support.program import Program

WIRE = Path(__file__).parent.parent / "wire"
MEMBER_ID = "010b6886ebc205e43ae65000ee00addb"
SENTINELS = {
    "3c6c9248ec54af6bea1159b43ee0ab32": "sentinelapplication0000000000000",
    "jvh9y1ulvt2m6k5or90v9mg8nn32ozas": "sentinelwebhook00000000000000000",
    "be45f0660071849a0058f18a000000010000077261ef50fc26f1357adbd86a052c9e48": "sentinelaccess00",
    "4s386p3q0tr8dy89xvmt96234v3dljg8": "sentinelrefresh0000",
    "5f1ih5tsnsb11sc5heg3kp4ywqnjhd09": "sentinelrefresh1111",
    "6581f2a9b3c4d5.12345678%7CA1_2_3_4%7Cx": "sentinelrobot000",
}
CONSUMERS = ("audit", "enricher", "warehouse", "notifier")


def bodies() -> Iterator[tuple[str, bytes]]:
    """The wire bodies, each about another comment, with sentinels for secrets."""
    for number, path in enumerate(sorted(WIRE.glob("*.form"))):
        body = path.read_text()
        for secret, sentinel in SENTINELS.items():
            body = body.replace(secret, sentinel)
        yield path.stem, body.replace("=999", f"={9000 + number}").encode()


class Installation:
    """A receiver and its consumers on one server, in a directory of their own."""

    def __init__(self, directory: Path, redis_url: str, sink_url: str) -> None:
        self.directory = directory
        self.http_port, self.admin_port = free_port(), free_port()
        portal = {
            "member_id": MEMBER_ID,
            "domain": "acme.bitrix24.com",
            "application_tokens": [s for s in SENTINELS.values() if len(s) == 32],
        }
        route = {"name": "team", "urls": [sink_url]}
        self._environment = os.environ | {
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "GATEWAY_REDIS_URL": redis_url,
            "GATEWAY_HTTP_PORT": str(self.http_port),
            "GATEWAY_ADMIN_PORT": str(self.admin_port),
            "GATEWAY_PORTALS": msgspec.json.encode([portal]).decode(),
            "GATEWAY_NOTIFIER_ALLOW_PRIVATE": "true",
            "GATEWAY_NOTIFIER_ROUTES": msgspec.json.encode([route]).decode(),
            "GATEWAY_WAREHOUSE_MAX_WAIT_S": "0.5",
            "GATEWAY_LOG_LEVEL": "debug",
        }

    @contextmanager
    def process(self, *command: str) -> Iterator[Program]:
        with Program(
            (sys.executable, "-m", *command),
            log_file=self.directory / f"{'-'.join(command)}.log",
            environment=self._environment,
            directory=self.directory,
            is_executed=True,
        ) as process:
            process.launch()
            yield process
            process.stop_blocking(timeout_s=60)
            assert process.exit_code == 0, f"{command} did not stop cleanly:\n{process.log}"

    @contextmanager
    def running(self) -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(self.process("gateway", "serve"))
            for name in CONSUMERS:
                stack.enter_context(self.process("consumers", "run", name))
            yield

    def audit_records(self) -> list[dict[str, Any]]:
        lines = [
            line
            for file in sorted((self.directory / "var/audit").rglob("*.jsonl"))
            for line in file.read_bytes().splitlines()
        ]
        return [r for r in map(msgspec.json.decode, lines) if r.get("kind") == "event"]

    def verify_audit(self) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "consumers", "audit", "verify", "var/audit"],
            cwd=self.directory,
            env=self._environment,
            capture_output=True,
            check=False,
        )

    def files(self) -> dict[str, bytes]:
        """Everything that the processes wrote: logs, audit log, warehouse, spool, Redis's own."""
        return {
            str(path): path.read_bytes() for path in self.directory.rglob("*") if path.is_file()
        }

    def warehouse_ids(self) -> list[str]:
        path = self.directory / "var/warehouse.duckdb"
        try:
            with duckdb.connect(str(path), read_only=True) as database:
                schemas = database.execute(
                    "SELECT table_schema FROM information_schema.tables"
                    " WHERE table_name = 'comment_events' ORDER BY length(table_schema)"
                ).fetchall()
                if not schemas:
                    return []
                rows = database.execute(
                    f"SELECT event_id FROM {schemas[0][0]}.comment_events"
                ).fetchall()
                return [row[0] for row in rows]
        except duckdb.IOException:  # not there yet, or just being loaded
            return []


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with http_sink() as sink:
        yield sink


async def groups_of(redis: Redis) -> set[bytes]:
    try:
        return {
            group["name"]
            for stream in ("b24:events:{0}", "b24:comments:{0}")
            for group in await redis.xinfo_groups(stream)
        }
    except connections.AWAY:
        raise
    except Exception:  # noqa: BLE001 - a stream is not there yet
        return set()


async def post_all(port: int) -> dict[str, tuple[int, str, str | None]]:
    answers = {}
    async with aiohttp.ClientSession() as session:
        for name, body in bodies():
            async with session.post(
                f"http://127.0.0.1:{port}/bitrix24/events",
                data=body,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            ) as response:
                answers[name] = (
                    response.status,
                    await response.text(),
                    response.headers.get("X-Event-Id"),
                )
    return answers


async def dump(redis: Redis) -> bytes:
    """Everything in Redis, as bytes that can be searched."""
    keys: Any = await redis.keys()
    values = [await redis.dump(key) or b"" for key in keys]
    streams = ("b24:events:{0}", "b24:comments:{0}")
    entries = [str(await redis.xrange(stream)).encode() for stream in streams]
    return b"".join([*keys, *values, *entries])


async def test_wire_bodies_reach_the_stream_and_all_consumers_and_no_secret_does(
    own_server: RedisServer, tmp_path: Path, sink: HttpSink
) -> None:
    installation = Installation(tmp_path, own_server.url, sink.url)
    redis = connections.control(own_server.url)
    with installation.running():
        await eventually(
            lambda: _are_ready(redis, installation.http_port),
            timeout_s=100,
        )
        answers = await post_all(installation.http_port)

        stored = {
            str(event_id)
            for status, text, event_id in answers.values()
            if (status, text) == (200, "ok")
        }
        ignored = {name for name, answer in answers.items() if answer[1] == "ignored"}
        assert ignored == {"offline-signal", "robot-activity"}
        assert len(stored) == len(answers) - 2
        entries: Any = await redis.xrange("b24:events:{0}")
        events = [decode_event(fields[b"event"]) for _, fields in entries]
        assert {event.id for event in events} == stored
        comments = {event.id for event in events if isinstance(event, CommentEvent)}
        assert len(comments) == 7

        await eventually(
            lambda: {r["event"]["id"] for r in installation.audit_records()} == stored,
            timeout_s=30,
        )
        await eventually(lambda: set(installation.warehouse_ids()) == comments, timeout_s=30)
        await eventually(lambda: len(sink.received) >= len(comments), timeout_s=30)

    assert sorted(r["event"]["id"] for r in installation.audit_records()) == sorted(stored)
    assert sorted(installation.warehouse_ids()) == sorted(comments)
    told = str([one.body for one in sink.received])
    assert all(
        str(event.data.comment_id) in told for event in events if isinstance(event, CommentEvent)
    )
    verified = await asyncio.to_thread(installation.verify_audit)
    assert verified.returncode == 0, verified.stdout

    in_redis = await dump(redis)
    await redis.aclose()
    places = {"redis": in_redis, "notifications": told.encode()} | installation.files()
    leaks = [
        (place, sentinel)
        for place, content in places.items()
        for sentinel in SENTINELS.values()
        if sentinel.encode() in content
    ]
    assert leaks == []


async def _are_ready(redis: Redis, port: int) -> bool:
    """The receiver answers, and every consumer has its group: what comes now is for all."""
    return await is_listening(port) and await groups_of(redis) >= {
        name.encode() for name in CONSUMERS
    }
