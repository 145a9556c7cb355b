"""Gathers what the workers of a receiver report: each by its own admin listener, and by metrics in
files.

The directory is private and of this run: the workers' socket files, and the files in which
prometheus_client keeps each worker's metrics so that they can be added up
(https://prometheus.github.io/client_python/multiprocess/). Those of a dead worker stay, because a
counter must not go back; only its live gauges are forgotten.
"""

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import aiohttp
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from gateway import metrics
from gateway.web.metric_files import shrink
from gateway.web.process_metrics import ProcessMetrics

__all__ = ["WorkerReports"]

_ANSWER_S: Final = 2.0
_LOOK_S: Final = 0.05


class WorkerReports:
    """Asks the workers `names`; an asynchronous context."""

    def __init__(self, directory: Path, names: Sequence[str]) -> None:
        self._directory = directory
        self.metrics_dir = directory / "metrics"
        self.metrics_dir.mkdir()
        self._names = names
        self.pids = {"supervisor": os.getpid()}
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        for name in self._names:
            self._sessions[name] = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(self.socket_of(name)), force_close=True),
                timeout=aiohttp.ClientTimeout(_ANSWER_S),
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        for session in self._sessions.values():
            await session.close()

    def socket_of(self, name: str) -> Path:
        """The socket file on which a worker's admin listener answers."""
        return self._directory / f"{name}.sock"

    async def answers(self, name: str) -> None:
        """Wait until a worker answers, which it does once it accepts deliveries."""
        while True:
            if await self._why_not(name, "healthz") is None:
                return
            await asyncio.sleep(_LOOK_S)

    async def why_not_alive(self) -> str | None:
        """None if every worker answers, else which of them does not."""
        return await self._why_not_all("healthz")

    async def why_not_ready(self) -> str | None:
        """None if every worker can accept and store, else the reasons of those that cannot."""
        return await self._why_not_all("readyz")

    async def exposition(self, names: Sequence[str] = ()) -> bytes:
        """The metrics of all workers, added up, and those of their supervisor.

        With `names`, those of these names.
        """
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(self.metrics_dir))  # type: ignore[no-untyped-call]
        registry.register(metrics.WORKER_RESTARTS)
        registry.register(ProcessMetrics(self.pids))
        chosen = registry.restricted_registry(names) if names else registry
        ranked = metrics.PORTAL_EVENTS_PER_MINUTE.name
        is_asked = not names or ranked in names
        return generate_latest(chosen) + (await self._of_one(ranked) if is_asked else b"")

    async def _of_one(self, metric: str) -> bytes:
        """A metric that all workers know alike, in none of their files; nothing if none answers."""
        query = {"name[]": metric}
        for name in self._names:
            with suppress(aiohttp.ClientError, TimeoutError):
                asked = self._sessions[name].get("http://localhost/metrics", params=query)
                async with asked as response:
                    if response.status == 200:
                        return await response.read()
        return b""

    def forget(self, name: str) -> int:
        """Take the live gauges of a worker that died out of the sums; returns its process id."""
        pid = self.pids.pop(name)
        mark_process_dead(pid, path=str(self.metrics_dir))  # type: ignore[no-untyped-call]
        shrink(self.metrics_dir, pid)
        return pid

    async def _why_not_all(self, question: str) -> str | None:
        reasons = await asyncio.gather(*(self._why_not(name, question) for name in self._names))
        told = [f"{name}: {why}" for name, why in zip(self._names, reasons, strict=True) if why]
        return "; ".join(told) or None

    async def _why_not(self, name: str, question: str) -> str | None:
        try:
            async with self._sessions[name].get(f"http://localhost/{question}") as response:
                return None if response.status == 200 else await response.text()
        except (aiohttp.ClientError, TimeoutError):
            return "does not answer"
