"""What Kubernetes does with the receivers of the chart, on one machine and with real processes.

A kubelet starts, probes and stops pods; a StatefulSet's controller renews them one after the other;
a Service, by connections, as kube-proxy has it, leads to those that it has heard of. The numbers
are the chart's own. That a Service hears late of what changed is what the preStop sleep is for:
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination-flow.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.support.receiver_process import Receiver

__all__ = ["Cluster"]

SPREADING_S: Final = 3.0
"""How long it takes until a Service has heard of what has changed."""


class Pod:
    """One replica: a receiver with the spool of its number, and where it stands."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.is_ready = False

    async def probe(self) -> None:
        """Ask /readyz once."""
        url = f"http://127.0.0.1:{self.receiver.admin_port}/readyz"
        try:
            async with aiohttp.ClientSession() as client, client.get(url) as answer:
                self.is_ready = answer.status == 200
        except aiohttp.ClientError:
            self.is_ready = False


class Cluster:
    """A StatefulSet of receivers and its Service, which listens on `port` of this machine."""

    def __init__(self, stateful_set: dict[str, Any], directory: Path, redis_url: str) -> None:
        self._spec = stateful_set["spec"]
        self._pod_spec = self._spec["template"]["spec"]
        (self._container,) = self._pod_spec["containers"]
        self._directory = directory
        self._redis_url = redis_url
        self._pods: list[Pod] = []
        self._endpoints: tuple[int, ...] = ()
        self._turns = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """All replicas, ready and known to the Service; none afterwards."""
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            self._pods = [self._start(number) for number in range(self._spec["replicas"])]
            for pod in self._pods:
                await self._is_ready(pod)
            await self._spread()
            yield
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            for pod in self._pods:
                if pod.receiver.is_running:
                    await pod.receiver.stop()
                pod.receiver.__exit__(None, None, None)

    async def renew_all(self) -> list[int]:
        """A rolling update: the highest number first, each when the one before is ready.

        The exit codes of those that were there before.
        """
        codes = []
        for number in reversed(range(len(self._pods))):
            old = self._pods[number]
            codes.append(await self._end(old))
            self._pods[number] = self._start(number)
            await self._is_ready(self._pods[number])
            self._hear_soon()
            await asyncio.sleep(self._spec["minReadySeconds"])
        return codes

    def _start(self, number: int) -> Pod:
        settings = {
            one["name"].removeprefix("GATEWAY_"): one["value"]
            for one in self._container["env"]
            if one["name"].endswith("_S")
        }
        spool = self._directory / f"data-{number}"
        receiver = Receiver(self._directory, self._redis_url, spool=spool, settings=settings)
        receiver.__enter__()
        receiver.launch()
        return Pod(receiver)

    async def _is_ready(self, pod: Pod) -> None:
        """Probe it as often, and at most as long, as the chart says."""
        probe = self._container["startupProbe"]
        for _ in range(probe["failureThreshold"]):
            await pod.probe()
            if pod.is_ready:
                return
            await asyncio.sleep(self._container["readinessProbe"]["periodSeconds"])
        raise TimeoutError(pod.receiver.log[-2000:])

    async def _end(self, pod: Pod) -> int:
        """Terminate it: the Service hears of it during preStop; then SIGTERM, at last SIGKILL."""
        ends_at = time.monotonic() + self._pod_spec["terminationGracePeriodSeconds"]
        pod.is_ready = False
        self._hear_soon()
        await asyncio.sleep(self._container["lifecycle"]["preStop"]["sleep"]["seconds"])
        return await pod.receiver.stop(timeout_s=ends_at - time.monotonic())

    def _hear_soon(self) -> None:
        task = asyncio.create_task(self._spread())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _spread(self) -> None:
        ready = tuple(pod.receiver.port for pod in self._pods if pod.is_ready)
        await asyncio.sleep(SPREADING_S)
        self._endpoints = ready

    async def _connect(self, ours: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        """Lead one connection to one endpoint for as long as it lasts."""
        with suppress(OSError):
            port = self._endpoints[next(self._turns) % len(self._endpoints)]
            theirs, to_them = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_pass_on(ours, to_them), _pass_on(theirs, out))
        out.close()


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await source.read(65536):
            sink.write(piece)
            await sink.drain()
    sink.close()
