"""Posts the bodies of a file, a line each, by aiohttp alone: what a delivery costs at least.

Prints the seconds that it took, and those of processor time, without its start.
"""

import asyncio
import sys
import time
from pathlib import Path

import aiohttp
import uvloop

_HEADERS = {"Content-Type": "application/cloudevents+json; charset=utf-8"}


async def _main(bodies: list[bytes], url: str, at_once: int) -> None:
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        waiting = iter(bodies)

        async def post() -> None:
            for body in waiting:
                async with session.post(url, data=body, headers=_HEADERS) as response:
                    await response.read()
                    assert response.status == 204

        begun, cpu_s = time.perf_counter(), time.process_time()
        await asyncio.gather(*(post() for _ in range(at_once)))
        print(time.perf_counter() - begun, time.process_time() - cpu_s)


if __name__ == "__main__":
    uvloop.run(_main(Path(sys.argv[1]).read_bytes().splitlines(), sys.argv[2], int(sys.argv[3])))
