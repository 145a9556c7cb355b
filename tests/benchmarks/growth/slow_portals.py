"""Answers for any number of portals, each call after a while, and notes when each was drained.

`python -m tests.benchmarks.growth.slow_portals PORT DELAY_S HANGING`: the portals `m0` to below
`m<HANGING>` never answer. The queue of every portal is empty. `/drained` tells when (seconds of the
machine's monotonic clock) each was asked what waits in its queue.
"""

import asyncio
import sys
import time
from collections import defaultdict

import uvloop
from aiohttp import web

_EMPTY = {
    "event.offline.get": {"process_id": "", "events": []},
    "event.offline.list": [],
    "event.get": [],
}


async def _serve(port: int, delay_s: float, hanging: int) -> None:
    drained_at: defaultdict[str, list[float]] = defaultdict(list)

    async def call(request: web.Request) -> web.Response:
        member_id, method = request.match_info["member_id"], request.match_info["method"]
        if int(member_id[1:]) < hanging:
            await asyncio.sleep(3600)
        await asyncio.sleep(delay_s)
        if method == "event.offline.list" and "<PROCESS_ID" in (await request.text()):
            drained_at[member_id].append(time.monotonic())
        return web.json_response({"result": _EMPTY[method]})

    async def drained(_request: web.Request) -> web.Response:
        return web.json_response(drained_at)

    app = web.Application()
    app.router.add_post("/{member_id}/rest/{method}.json", call)
    app.router.add_get("/drained", drained)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
