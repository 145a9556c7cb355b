"""Nobody takes the log, neither that of a receiver nor that of a consumer, and Redis is killed."""

import asyncio

import aiohttp

from tests.faults.sink import GROUP, SERVICE, Sink
from tests.faults.test_log_faults import Broken, broken
from tests.support.stage import Stage, entries_on

__all__ = ["broken"]

_FORGED = b"event=ONCRMTIMELINECOMMENTADD&auth[member_id]=nobody&auth[application_token]=none"


async def test_nobody_takes_the_log(stage: Stage, broken: Broken) -> None:
    server = stage.server()
    receiver = await stage.receiver(server.url, log=broken.descriptor)
    sink = Sink(stage.directory)
    worker = stage.worker(SERVICE, server.url, sink.environment, log=broken.descriptor)
    url = f"http://127.0.0.1:{receiver.port}/bitrix24/events"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with aiohttp.ClientSession() as session, stage.load(receiver, rate=100) as load:
        await load.until_answered_from("stream", timeout_s=20)
        broken.breaks()
        for _ in range(100):
            async with session.post(url, data=_FORGED, headers=headers) as response:
                assert response.status == 403
        server.kill()
        await load.until_answered_from("spool", timeout_s=20)
        await asyncio.sleep(stage.span(short=1, full=5))
        server.start()
        await load.until_answered_from("stream", timeout_s=60)
    await stage.until_consumed(server.url, GROUP)
    stored = [entry.event_id for stream in await entries_on(server.url) for entry in stream]

    account = await stage.settle(load.deliveries, server)

    assert account.refused == account.unanswered == 0
    assert sorted(row.event_id for row in sink.effects()) == sorted(stored)
    assert await worker.stop() == 0
