"""Writes a process' heartbeats: beside its work, which never waits for them or fails by them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from gateway.background import Background
from gateway.heartbeats.process_report import (
    BEAT_S,
    SILENT_S,
    ProcessReport,
    encoded,
    processes_key,
)
from gateway.redis_access import lua
from gateway.redis_access.connections import FAILURES, RedisFault, fault_of

__all__ = ["Heartbeat", "beating"]

log: Any = structlog.get_logger(__name__)

_FORGET_S: Final = 24 * 3600
_NEW_MS: Final = 60_000
# For so long a process looks for those whose place it has taken: a killed one is silent by then.
_NOT_READY_S: Final = 1.0
_ANSWER_S: Final = 2.0
_FAREWELL_S: Final = 0.5


class Heartbeat:
    """Writes what `report` says from `start` to `close`, under the name `instance`
    (gateway.heartbeats.process_report.instance_id).

    Every five seconds, and every second as long as the process is not ready.

    While Redis is away nothing is written and nothing is said, for others tell of that. What else
    fails is logged once when it begins and once when it is over. `client` is a control client
    (gateway.redis_access.connections.control).
    """

    def __init__(
        self,
        client: Redis,
        report: Callable[[], Awaitable[ProcessReport]],
        *,
        prefix: str,
        instance: str,
    ) -> None:
        self._client = client
        self._tell = lua.script(client, "gateway.heartbeats", "tell_process.lua")
        self._key = processes_key(prefix)
        self._instance = instance
        self._report = report
        self._began_at = monotonic()
        self._is_failing = False
        self._is_ready = False
        self._beating = Background(self._run, name="heartbeat", begins_anew=True)

    def start(self) -> None:
        """Begin; once."""
        self._began_at = monotonic()
        self._beating.start()

    async def close(self) -> None:
        """Write no more, and take back what was written, if Redis does that within half a second.

        Raises nothing.
        """
        await self._beating.close()
        with suppress(*FAILURES):
            async with asyncio.timeout(_FAREWELL_S):
                await self._client.hdel(self._key, self._instance)

    async def _run(self) -> None:
        while True:
            await self._beat()
            await asyncio.sleep(BEAT_S if self._is_ready else _NOT_READY_S)

    async def _beat(self) -> None:
        try:
            async with asyncio.timeout(_ANSWER_S):
                report = await self._report()
                self._is_ready = report.is_ready
                await self._write(report)
        except FAILURES as error:
            if fault_of(error) is not RedisFault.AWAY:
                self._failed(error=str(error))
        except Exception:  # noqa: BLE001 - of whatever a process says of itself
            self._failed(exc_info=True)
        else:
            if self._is_failing:
                log.info("heartbeats are written again")
            self._is_failing = False

    async def _write(self, report: ProcessReport) -> None:
        lasted_ms = round((monotonic() - self._began_at) * 1000)
        silent_ms, is_new = round(SILENT_S * 1000), int(lasted_ms < _NEW_MS)
        arguments = [
            self._instance, encoded(report), lasted_ms, silent_ms, _FORGET_S, is_new,
        ]  # fmt: skip
        await self._tell(keys=[self._key], args=arguments)

    def _failed(self, **why: Any) -> None:
        if not self._is_failing:
            log.warning(
                "no heartbeat is written: `gateway status` does not list this process", **why
            )
        self._is_failing = True


@asynccontextmanager
async def beating(
    client: Redis,
    report: Callable[[], Awaitable[ProcessReport]],
    *,
    prefix: str,
    instance: str,
) -> AsyncIterator[None]:
    """Heartbeats for as long as the context lasts."""
    heartbeat = Heartbeat(client, report, prefix=prefix, instance=instance)
    heartbeat.start()
    try:
        yield
    finally:
        await heartbeat.close()
