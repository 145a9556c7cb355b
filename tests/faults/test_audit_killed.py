"""SIGKILL, again and again, while events come in: each of them is in the log once."""

import random
from pathlib import Path

from redis.asyncio import Redis

from consumers.audit import signing
from tests.integration.audit.test_consumer import KEY, events_in
from tests.integration.runtime.running import comment_event, publish
from tests.support.audit_log import verify_by_key
from tests.support.consumer_process import service
from tests.support.eventually import eventually

KILLS = 4
EVENTS_PER_LIFE = 1500


async def test_a_kill_loop_leaves_each_event_in_the_log_once(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    public = signing.generate(tmp_path / "audit.key")
    audit = {
        "GATEWAY_AUDIT_DIR": str(tmp_path / "audit"),
        "GATEWAY_AUDIT_SIGNING_KEY": f"file:{tmp_path}/audit.key",
        "GATEWAY_AUDIT_CHECKPOINT_EVERY": "100",
        "GATEWAY_CONSUMERS_LEASE_S": "2",
    }
    chain = tmp_path / "audit" / "events-0"
    published: list[str] = []

    for _ in range(KILLS):
        before = len(published)
        with service(redis_url, tmp_path, name="audit", **audit) as process:
            events = [comment_event(number + 1) for number in range(EVENTS_PER_LIFE)]
            published += [event.id for event in events]
            await publish(redis, KEY, events)
            # A point somewhere in the work of this life, so that batches are torn apart.
            enough = before + chance.randrange(1, EVENTS_PER_LIFE)
            await eventually(lambda: size_of(chain) > enough * 500)  # noqa: B023 - used within this turn
            process.kill()
        assert verify_by_key(chain, public).fault is None

    with service(redis_url, tmp_path, name="audit", **audit) as process:
        await eventually(lambda: len(events_in(chain)) >= len(published))
        assert await process.stop() == 0
    assert events_in(chain) == published
    report = verify_by_key(chain, public)
    assert (report.fault, report.events) == (None, len(published))
    assert (await redis.xpending(KEY, "audit"))["pending"] == 0


def size_of(chain: Path) -> int:
    return sum(path.stat().st_size for path in chain.glob("*.jsonl"))
