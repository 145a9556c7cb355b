"""The audit consumer as a process, on a real Redis."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
from redis.asyncio import Redis

from consumers.audit import signing
from tests.audit_log import lines_of, verify_by_key
from tests.integration.consumers.running import comment_event, publish, service, until

KEY = "b24:events:{0}"


def events_in(chain: Path) -> list[str]:
    """The ids of the events in a chain, in its order; a line being written is none."""
    if not chain.is_dir():
        return []
    records = [msgspec.json.decode(line) for line in lines_of(chain) if line.endswith(b"\n")]
    return [record["event"]["id"] for record in records if record["kind"] == "event"]


def said_in(directory: Path) -> str:
    """What the processes that ran in a directory logged."""
    return "".join(path.read_text() for path in directory.glob("log-*"))


async def test_every_event_is_in_the_signed_log_once_and_in_order(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    public = signing.generate(tmp_path / "audit.key")
    events = [comment_event(number + 1) for number in range(1500)]
    await publish(redis, KEY, events)
    audit = {
        "GATEWAY_AUDIT_DIR": str(tmp_path / "audit"),
        "GATEWAY_AUDIT_SIGNING_KEY": f"file:{tmp_path}/audit.key",
    }
    chain = tmp_path / "audit" / "events-0"

    with service(redis_url, tmp_path, name="audit", **audit) as process:
        await until(lambda: len(events_in(chain)) == 1500)
        process.process.terminate()
        assert process.process.wait(10) == 0

    assert events_in(chain) == [event.id for event in events]
    report = verify_by_key(chain, public)
    assert (report.fault, report.events, report.keys) == (None, 1500, [public])
    assert report.signed_count == report.checkpoints >= 2
    assert (await redis.xpending(KEY, "audit"))["pending"] == 0


async def test_the_log_of_a_process_without_a_key_is_chained_and_says_so(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    await publish(redis, KEY, [comment_event(1)])
    chain = tmp_path / "audit" / "events-0"

    with service(
        redis_url, tmp_path, name="audit", GATEWAY_AUDIT_DIR=str(tmp_path / "audit")
    ) as process:
        await until(lambda: len(events_in(chain)) == 1)
        process.process.terminate()
        process.process.wait(10)

    assert said_in(tmp_path).count("audit log is chained but not signed") == 1
    report = verify_by_key(chain)
    assert (report.fault, report.signed_count) == (None, 0)


def test_a_key_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "wrong.key").write_text("not-a-key-but-still-a-secret")
    done = subprocess.run(
        [sys.executable, "-m", "consumers", "run", "audit"],
        env={**os.environ, "GATEWAY_AUDIT_SIGNING_KEY": f"file:{tmp_path}/wrong.key"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "consumers: [audit] signing_key: not an unencrypted private key in PEM\n"
    )
