"""Measures the enricher that asks portals: one that has much to tell, and many with little each.

Events come at a steady rate, in turns of all portals; a call asks for what waits of one portal. The
portals are the sandbox, in this process, so that their costs are apart.
"""

import asyncio
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from consumers.testing import comment_event
from gateway.local.redis_server import RedisServer, find_server
from gateway.redis_access import connections
from gateway.sandbox.assembly import open_sandbox
from tests.benchmarks.load import cpu_seconds
from tests.benchmarks.scaling.measurement import Asking
from tests.integration.enricher.conftest import COMMENTS, Scene
from tests.support.consumer_process import ConsumerProcess
from tests.support.eventually import eventually

__all__ = ["asking"]

_RATE: Final = 200.0
_SECONDS: Final = 8.0
_WARM: Final = 100
_IDLE_S: Final = 4.0


def asking(portals: int) -> Asking:
    """The costs with so many portals."""
    with TemporaryDirectory(prefix="bench-scaling-") as name:
        server = RedisServer(find_server(), Path(name) / "redis")
        server.start()
        try:
            return asyncio.run(_asking(server.url, Path(name), portals))
        finally:
            server.stop()


async def _asking(url: str, directory: Path, portals: int) -> Asking:
    async with connections.control(url, timeout_s=30) as redis, open_sandbox() as sandbox:
        scene = Scene(redis, url, sandbox)
        names = [f"m{number}" for number in range(portals)]
        for name in names:
            portal = await scene.portal(name, requests_per_s=1e6, burst=1e6)
            scene.written(portal, 50)
        settings = {
            "GATEWAY_REDIS_URL": url,
            "GATEWAY_BITRIX24_REQUESTS_PER_S": "100000",
            "GATEWAY_BITRIX24_BURST": "100000",
            "GATEWAY_PORTALS": json.dumps(
                [
                    {
                        "member_id": name,
                        "domain": f"{name}.example",
                        "application_tokens": ["fake"],
                        "rest_webhook": scene.portals[name].webhook_url,
                    }
                    for name in names
                ]
            ),
        }
        with ConsumerProcess("enricher", directory, settings, is_executed=True) as enricher:
            enricher.launch()
            await _published(scene, names, _WARM)
            await _until_out(scene, _WARM)
            before_s = cpu_seconds(enricher.pid)
            await asyncio.sleep(_IDLE_S)
            idle = (cpu_seconds(enricher.pid) - before_s) / _IDLE_S
            calls = _calls(scene)
            before_s, began = cpu_seconds(enricher.pid), time.monotonic()
            events = round(_RATE * _SECONDS)
            await _published(scene, names, events)
            await _until_out(scene, _WARM + events)
            took_s = time.monotonic() - began
            spent_s = cpu_seconds(enricher.pid) - before_s - idle * took_s
            return Asking(
                portals=portals,
                rate=_RATE,
                events=events,
                calls=_calls(scene) - calls,
                cpu_us=round(1e6 * spent_s / events, 1),
            )


async def _published(scene: Scene, names: list[str], count: int) -> None:
    """Publish so many events at the rate, a portal after the other."""
    began = time.monotonic()
    for number in range(count):
        member_id = names[number % len(names)]
        comment_id = 1 + number // len(names) % 50
        await asyncio.sleep(max(0.0, began + number / _RATE - time.monotonic()))
        await scene.publish([comment_event(comment_id, member_id=member_id)])


async def _until_out(scene: Scene, count: int) -> None:
    async def are_out() -> bool:
        return int(await scene.redis.xlen(COMMENTS)) >= count

    await eventually(are_out, timeout_s=60)


def _calls(scene: Scene) -> int:
    return sum(one.method == "batch" for it in scene.portals.values() for one in it.calls)
