"""The audit log as a process writes it, with Redis beside it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

import msgspec
from redis.asyncio import Redis

from consumers.audit import signing
from consumers.audit.chain_verification import verify_chain
from consumers.audit.findings import ChainReport
from tests.integration.runtime.running import comment_event, publish
from tests.support.audit_log import lines_of
from tests.support.consumer_process import logged, service
from tests.support.eventually import eventually

KEY = "b24:events:{0}"


_SLOT = 1024


class Log:
    """A signed audit log of a consumer process that is started and stopped."""

    def __init__(self, directory: Path) -> None:
        self.public = signing.generate(directory / "audit.key")
        self.root = directory / "audit"
        self.chain = self.root / "events-0"
        self._directory = directory

    @asynccontextmanager
    async def running(
        self,
        redis_url: str,
        settings: Mapping[str, str] = MappingProxyType({}),
        *,
        is_killed: bool = False,
    ) -> AsyncIterator[None]:
        with service(
            redis_url,
            self._directory,
            name="audit",
            GATEWAY_AUDIT_DIR=str(self.root),
            GATEWAY_AUDIT_SIGNING_KEY=f"file:{self._directory}/audit.key",
            GATEWAY_CONSUMERS_LEASE_S="2",
            **settings,
        ) as process:
            yield
            if is_killed:
                process.kill()
            else:
                assert await process.stop() == 0

    async def add(
        self, redis: Redis, redis_url: str, first: int, last: int, *, is_killed: bool = False
    ) -> None:
        """Publish events of these comments, and have a process of its own log them all."""
        await publish(redis, KEY, [comment_event(number) for number in range(first, last + 1)])
        async with self.running(redis_url, is_killed=is_killed):
            await eventually(lambda: last in self.comments(), timeout_s=40)
            await eventually(lambda: _is_settled(redis))

    def comments(self) -> list[int]:
        if not self.chain.is_dir():
            return []
        records = [msgspec.json.decode(line) for line in lines_of(self.chain) if line[-1:] == b"\n"]
        return [
            record["event"]["data"]["comment_id"] for record in records if record["kind"] == "event"
        ]

    def report(self, *, known_gaps: Sequence[int] = ()) -> ChainReport:
        return verify_chain(self.chain, keys=[self.public], known_gaps=known_gaps)

    def said(self) -> str:
        return logged(self._directory, "audit")

    def without_last_batch(self) -> None:
        """Take the last batch away: its head, and its lines. Needs no key and no copy."""
        slots = (self.chain / "head").read_bytes()
        heads = [slots[:_SLOT], slots[_SLOT:]]
        older = min(heads, key=lambda slot: int(msgspec.json.decode(slot)["seq"]))
        end = msgspec.json.decode(older)["end"]
        (self.chain / "head").write_bytes(older * 2)
        (day,) = self.chain.glob("*.jsonl")
        day.write_bytes(day.read_bytes()[:end])


async def _is_settled(redis: Redis) -> bool:
    pending = await redis.xpending(KEY, "audit")
    return bool(pending["pending"] == 0)
