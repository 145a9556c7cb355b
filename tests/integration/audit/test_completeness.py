"""What was acknowledged and is not in the log any more is found, whoever took it away and how."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from consumers.audit.chain_head import read_head
from consumers.audit.completeness import CannotCompare, find_gap
from consumers.audit.records import GapRecord
from gateway.contract import Streams
from gateway.redis_access.connections import control
from tests.integration.audit.log_process import KEY, Log
from tests.integration.runtime.running import comment_event, gateway, publish
from tests.support.eventually import eventually
from tests.support.starting import finished_blocking


@pytest.fixture
def log(tmp_path: Path) -> "Log":
    return Log(tmp_path)


def verify(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return finished_blocking(
        (sys.executable, "-m", "consumers", "audit", "verify", str(root), *arguments),
        environment=os.environ,
    )


async def test_a_last_batch_that_was_taken_away_is_told_and_a_replay_brings_it_back(
    redis: Redis, redis_url: str, log: Log
) -> None:
    await log.add(redis, redis_url, 1, 5)
    await log.add(redis, redis_url, 6, 10, is_killed=True)
    log.without_last_batch()

    before = log.report()
    assert before.fault is None
    assert any("one of the two heads is torn" in note for note in before.notes)
    kept = log.comments()
    assert len(kept) < 10

    async with log.running(redis_url):
        await eventually(
            lambda: "acknowledged entries are not in the audit log" in log.said(), timeout_s=40
        )
        await eventually(lambda: log.report().fault is not None)
    fault = log.report().fault
    assert fault is not None
    assert fault.what == "lost"
    assert f"{10 - len(kept)} entries after" in fault.detail
    done = verify(log.root, "--key", log.public)
    assert done.returncode == 1
    assert "--known-gap events-0:" in done.stdout
    assert verify(log.root, "--known-gap", f"events-0:{fault.seq}").returncode == 0

    await gateway(redis_url, "replay", "--group", "audit", "--from", "1h")
    async with log.running(redis_url):
        await eventually(lambda: sorted(log.comments()) == list(range(1, 11)), timeout_s=40)
        await eventually(lambda: log.report().fault is None)
    assert any("they were written again" in note for note in log.report().notes)
    assert log.said().count("acknowledged entries are not in the audit log") == 1


async def test_a_log_that_was_removed_does_not_begin_anew_in_silence(
    redis: Redis, redis_url: str, log: Log
) -> None:
    await log.add(redis, redis_url, 1, 5)
    shutil.rmtree(log.root)

    await log.add(redis, redis_url, 6, 6)

    assert log.comments() == [6]
    fault = log.report().fault
    assert fault is not None
    assert fault.what == "lost"
    assert "the log begins after entry" in fault.detail
    assert "5 entries" in fault.detail
    assert log.report(known_gaps=[fault.seq or 0]).fault is None
    assert "acknowledged entries are not in the audit log" in log.said()


async def test_an_older_copy_of_the_log_is_noticed_also_when_the_stream_was_trimmed(
    redis: Redis, redis_url: str, log: Log, tmp_path: Path
) -> None:
    await log.add(redis, redis_url, 1, 5)
    shutil.copytree(log.chain, tmp_path / "copy")
    await log.add(redis, redis_url, 6, 10)
    shutil.rmtree(log.chain)
    shutil.copytree(tmp_path / "copy", log.chain)
    await redis.xtrim(KEY, maxlen=0)

    await log.add(redis, redis_url, 11, 11)

    fault = log.report().fault
    assert fault is not None
    assert "an unknown number of entries after" in fault.detail
    assert log.comments() == [1, 2, 3, 4, 5, 11]


async def test_nothing_is_missed_where_nothing_was_lost(
    redis: Redis, redis_url: str, log: Log
) -> None:
    """Restarts, what is no event, what was deleted by its id, and what is pending."""
    await log.add(redis, redis_url, 1, 3)
    await redis.xadd(KEY, {"event": b"no event"})
    await log.add(redis, redis_url, 4, 4)
    await redis.xadd(KEY, {"event": b"no event either"})
    async with log.running(redis_url):
        await eventually(lambda: _letters(redis, 2), timeout_s=40)
    oldest, *_newer = await _ids(redis)
    await redis.xdel(KEY, oldest)
    await log.add(redis, redis_url, 5, 5)
    assert "not in the audit log" not in log.said()
    assert log.report().fault is None
    assert log.comments() == [1, 2, 3, 4, 5]


async def _ids(redis: Redis) -> list[str]:
    entries: Any = await redis.xrange(KEY)
    return [entry_id.decode() for entry_id, _fields in entries]


async def _letters(redis: Redis, count: int) -> bool:
    return bool(await redis.xlen("b24:dead:audit:{0}") == count)


async def test_what_is_pending_is_not_missed(redis: Redis, redis_url: str) -> None:
    await publish(redis, KEY, [comment_event(number) for number in (1, 2, 3)])
    await redis.xgroup_create(KEY, "audit", "0")
    ids = await _ids(redis)
    await redis.xreadgroup("audit", "owner", {KEY: ">"})
    await redis.xack(KEY, "audit", ids[0])
    client = control(redis_url)
    try:
        assert await _gap(client, newest=ids[0]) is None
        assert await _gap(client, newest="0-0") == GapRecord(
            after="0-0", until=ids[2], count=1, is_all=True
        )
    finally:
        await client.aclose()


async def test_nothing_is_written_before_redis_has_said_where_the_group_stands(
    tmp_path: Path,
) -> None:
    client = control(f"unix://{tmp_path}/no-such-socket")
    with pytest.raises(CannotCompare):
        await _gap(client, newest="0-0")
    await client.aclose()


async def _gap(client: Redis, *, newest: str) -> GapRecord | None:
    return await find_gap(client, Streams(), "events", 0, group="audit", newest=newest)


async def test_anchors_outside_tell_an_older_copy(
    redis: Redis, redis_url: str, log: Log, tmp_path: Path
) -> None:
    noted, sent = tmp_path / "elsewhere.txt", tmp_path / "sent.txt"
    settings = {
        "GATEWAY_AUDIT_CHECKPOINT_EVERY_S": "0.1",
        "GATEWAY_AUDIT_ANCHOR_FILE": str(noted),
        "GATEWAY_AUDIT_ANCHOR_COMMAND": msgspec.json.encode(
            [
                sys.executable,
                "-c",
                f"import sys; open({str(sent)!r}, 'a').write(sys.argv[1] + '\\n')",
            ]
        ).decode(),
    }
    await log.add(redis, redis_url, 1, 5)
    shutil.copytree(log.chain, tmp_path / "copy")
    await publish(redis, KEY, [comment_event(6)])
    async with log.running(redis_url, settings):
        await eventually(lambda: 6 in log.comments())
        await eventually(lambda: sent.exists() and str(_end(log)) in sent.read_text())
    assert str(_end(log)) in noted.read_text()
    assert verify(log.root, "--key", log.public, "--anchors", str(noted)).returncode == 0

    shutil.rmtree(log.chain)
    shutil.copytree(tmp_path / "copy", log.chain)

    assert verify(log.root, "--key", log.public).returncode == 0, "that is what anchors are for"
    done = verify(log.root, "--key", log.public, "--anchors", str(noted))
    assert done.returncode == 1
    assert "which an anchor names, is not there" in done.stdout


def _end(log: Log) -> str:
    head = read_head(log.chain)
    assert head is not None
    return f"events-0:{head.head.seq}:{head.head.prev}"


async def test_a_place_that_takes_no_anchor_is_told_of_once_and_holds_nothing_up(
    redis: Redis, redis_url: str, log: Log, tmp_path: Path
) -> None:
    place = tmp_path / "not-there" / "anchors.txt"
    await publish(redis, KEY, [comment_event(1)])
    async with log.running(
        redis_url,
        {
            "GATEWAY_AUDIT_CHECKPOINT_EVERY_S": "0.1",
            "GATEWAY_AUDIT_ANCHOR_FILE": str(place),
        },
    ):
        await eventually(lambda: "audit log cannot be anchored" in log.said())
        await publish(redis, KEY, [comment_event(2)])
        await eventually(lambda: log.comments() == [1, 2])
        place.parent.mkdir()
        await eventually(lambda: "audit log is anchored again" in log.said())
    assert log.said().count("audit log cannot be anchored") == 1
    assert place.read_text().startswith("20")
