"""Answers probes and Prometheus: is the process alive, is it connected, its numbers."""

import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import structlog
from aiohttp import web
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest

from consumers.runtime.merged_registry import MergedRegistry
from consumers.runtime.metrics import Metrics
from consumers.runtime.outages import Outages
from consumers.runtime.ownership import Ownership
from consumers.runtime.partition import OwnedPartition
from consumers.runtime.redaction import describe
from gateway.background import Watch
from gateway.errors import OperatorError
from gateway.hosts import only_known_hosts

__all__ = ["Health", "Probed", "listening"]

log = structlog.get_logger()


class Probed(Protocol):
    """Says how a process is."""

    async def why_not_alive(self) -> str | None:
        """None if the process makes progress, else why a restart might help."""
        ...

    async def why_not_ready(self) -> str | None:
        """None if the process does its work, else why not."""
        ...

    @property
    def remarks(self) -> list[str]:
        """What somebody should know of a process that is ready."""
        ...

    def observe(self) -> None:
        """Bring the gauges up to date."""
        ...

    def registry(self) -> CollectorRegistry:
        """Metrics that are not in the default registry."""
        ...


class Health:
    """Says what the probes are told; nothing here asks the server.

    Retries bridge a failure that is shorter than a lease: for so long nobody else could take over
    either. With a longer one, of whichever loop, this process is not ready. A restart is asked for
    after `stuck_s`, and only where it might help: if nothing moves, or if something fails though
    Redis is there for the leases.
    """

    def __init__(
        self,
        ownerships: Sequence[Ownership],
        outages: Outages,
        watch: Watch,
        metrics: Sequence[Metrics],
        *,
        why_not_ready: Callable[[], Sequence[str]],
        lease_s: float,
        stuck_s: float,
    ) -> None:
        self._ownerships = ownerships
        self._outages = outages
        self._watch = watch
        self._metrics = metrics
        self._why_service_is_not_ready = why_not_ready
        self._lease_s = lease_s
        self._stuck_s = stuck_s

    async def why_not_alive(self) -> str | None:
        """None if the loops make progress, else why a restart might help.

        Redis being away is no reason for a restart, nor is a handler's failing.
        """
        oldest = time.monotonic() - self._stuck_s
        reasons = [
            f"{self._name_of(one)} makes no progress"
            for ownership in self._ownerships
            for one in ownership.partitions
            if one.progressed_at <= oldest
        ]
        if any(one.beaten_at <= oldest for one in self._ownerships):
            reasons.append("the leases are not looked after")
        if any(one.is_connected for one in self._ownerships):
            reasons += self._outages.lasting(self._stuck_s)
        return await self._with_background(reasons)

    async def why_not_ready(self) -> str | None:
        """None if the process works or stands by: all that it owns is held, read and settled.

        The service may have reasons of its own, such as a database that is away.
        """
        reasons = [*self._outages.denied(), *self._outages.lasting(self._lease_s)]
        if not all(one.is_connected for one in self._ownerships):
            reasons.append("no leases yet, or Redis is away")
        for ownership in self._ownerships:
            for one in ownership.partitions:
                if not one.is_connected:
                    reasons.append(f"{self._name_of(one)} is not read")
                if not one.is_held:
                    reasons.append(f"the lease of {self._name_of(one)} is not renewed")
        reasons += self._of_the_service()
        return await self._with_background(reasons)

    @property
    def remarks(self) -> list[str]:
        """What somebody should know of a process that is ready: what an operator has paused."""
        return [
            f"{f'{one.group} ' if len(self._ownerships) > 1 else ''}paused: {pause}"
            for one in self._ownerships
            for pause in one.wishes.pauses
        ]

    def observe(self) -> None:
        """Bring the gauges of this process up to date."""
        for metrics in self._metrics:
            metrics.fails(self._outages.longest_s)
        for ownership in self._ownerships:
            for partition in ownership.partitions:
                partition.observe()

    def registry(self) -> CollectorRegistry:
        """The metrics of all groups."""
        return MergedRegistry(one.registry for one in self._metrics)

    def _name_of(self, one: OwnedPartition) -> str:
        group = f" of {one.keys.group}" if len(self._ownerships) > 1 else ""
        return f"partition {one.keys.partition}{group}"

    def _of_the_service(self) -> Sequence[str]:
        """What the service itself says; what it raises is a reason, too."""
        try:
            return self._why_service_is_not_ready()
        except Exception as error:  # noqa: BLE001 - it may raise anything
            return [f"why_not_ready failed: {describe(error)}"]

    async def _with_background(self, reasons: list[str]) -> str | None:
        if reason := await self._watch.why_not_alive():
            reasons.append(reason)
        return "\n".join(dict.fromkeys(reasons)) or None


@asynccontextmanager
async def listening(
    host: str, port: int, health: Probed, *, hosts: Collection[str] = ()
) -> AsyncIterator[str]:
    """Answer `/healthz`, `/readyz` and `/metrics` meanwhile; on which host and port.

    Raises OperatorError if the port is taken. `hosts` are the names that it answers to beside
    addresses and `localhost`.
    """
    registry = health.registry()

    async def healthz(_request: web.Request) -> web.Response:
        return _answer(await health.why_not_alive())

    async def readyz(_request: web.Request) -> web.Response:
        return _answer(await health.why_not_ready(), health.remarks)

    async def show(_request: web.Request) -> web.Response:
        health.observe()
        return web.Response(
            # The default registry has the service's own metrics, and those of its process.
            body=generate_latest(registry) + generate_latest(REGISTRY),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    app = web.Application(middlewares=[only_known_hosts(hosts)])
    app.add_routes(
        [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", show)]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise OperatorError(f"[consumers] host and port: {error.strerror}") from error
        address = f"{host}:{runner.addresses[0][1]}"
        log.info("health and metrics", url=f"http://{address}/metrics")
        yield address
    finally:
        await runner.cleanup()


def _answer(reason: str | None, remarks: Collection[str] = ()) -> web.Response:
    text = "\n".join([reason or "ok", *remarks])
    return web.Response(status=503 if reason else 200, text=text)
