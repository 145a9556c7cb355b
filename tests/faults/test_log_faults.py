"""The log cannot be written, whatever else happens: no event is lost, none told twice."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from redis.asyncio import Redis

from consumers.audit import signing
from gateway.contract import EVENT_FIELD, encode_event
from gateway.drill.delivery_load import DeliveryLoad
from gateway.drill.fault_ledger import account_of
from gateway.local.redis_server import RedisServer
from tests.integration.notifier.processes import comment_event, is_reading, publish
from tests.integration.notifier.sinks import http_sink
from tests.support.audit_log import verify_by_key
from tests.support.consumer_process import configured_consumer
from tests.support.eventually import eventually
from tests.support.receiver_process import Receiver
from tests.support.small_disk import fill, small_disk
from tests.support.spooled import until_drained
from tests.support.stage import entries_on

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_FORGED = b"event=ONCRMTIMELINECOMMENTADD&auth[member_id]=nobody&auth[application_token]=none"


class Broken:
    """A standard error that is well, and is not any more from `breaks` on."""

    def __init__(
        self, descriptor: int, breaks: Callable[[], None] = lambda: None, *, drops: bool = True
    ) -> None:
        self.descriptor = descriptor
        self.breaks = breaks
        self.drops = drops  # else lines wait


@pytest.fixture(params=["dead reader", "no reader", "full disk", "/dev/full"])
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broken]:
    if request.param == "full disk":
        with small_disk(tmp_path / "small", size="64k") as directory:
            log = os.open(directory / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            yield Broken(log, lambda: fill(directory / "filler"))
            os.close(log)
        return
    if request.param == "/dev/full":
        full = os.open("/dev/full", os.O_WRONLY)
        yield Broken(full)
        os.close(full)
        return
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    if request.param == "dead reader":
        yield Broken(writing, lambda: _close(reading))
    else:
        yield Broken(writing, drops=False)
    _close(reading)
    _close(writing)


def _close(descriptor: int) -> None:
    with suppress(OSError):
        os.close(descriptor)


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_receiver_whose_log_cannot_be_written_does_all_else(
    broken: Broken, own_server: RedisServer, tmp_path: Path, workers: int
) -> None:
    with Receiver(
        tmp_path,
        own_server.url,
        spool=tmp_path / "spool",
        settings={
            "REDIS_PARTITIONS": "2",  # as many as the account looks at
            "HTTP_WORKERS": str(workers),
            "HTTP_GRACE_S": "10",
            "LOG_LEVEL": "debug",
        },
    ) as receiver:
        await receiver.start(log=broken.descriptor)
        async with aiohttp.ClientSession() as session:
            # The port is open as soon as one of the workers is there.
            await eventually(lambda: _is_ready(session, receiver))
            broken.breaks()
            async with DeliveryLoad([receiver.port], rate=100) as load:
                await load.until_answered_from("stream", timeout_s=20)
                for _ in range(100):  # more lines than the pipe holds
                    assert await _forged(session, receiver) == 403
                own_server.kill()
                await load.until_answered_from("spool", timeout_s=20)
                assert await _probe(session, receiver, "readyz") == (200, "ready")
                assert await _probe(session, receiver, "healthz") == (200, "alive")
                own_server.start()
                await load.until_answered_from("stream", timeout_s=60)
            await until_drained(tmp_path / "spool")
            assert await _probe(session, receiver, "readyz") == (200, "ready")
            assert await _probe(session, receiver, "healthz") == (200, "alive")
        dropped = sum(
            float(line.split()[-1])
            for line in await receiver.metrics()
            if line.startswith("b24gw_log_lines_dropped_total")
        )
        assert dropped > 0 or not broken.drops
        assert await receiver.stop() == 0

    account = account_of(load.deliveries, await entries_on(own_server.url))
    assert account.accepted > 0
    assert account.spooled > 0
    assert account.lost == account.duplicated == account.refused == account.unanswered == 0


async def test_a_notifier_whose_log_cannot_be_written_tells_everything_once(
    broken: Broken, own_server: RedisServer, tmp_path: Path
) -> None:
    async with http_sink() as sink, Redis.from_url(own_server.url) as redis:
        settings = f"""
            [redis]
            url = "{own_server.url}"
            [notifier]
            allow_private = true
            [[notifier.routes]]
            urls = ["{sink.url}"]
            window_s = 0
            [log]
            level = "debug"
        """
        with configured_consumer("notifier", settings, tmp_path, log=broken.descriptor) as process:
            await eventually(lambda: is_reading(redis))
            broken.breaks()
            await publish(redis, comment_event(1))
            await eventually(lambda: sink.asked == 1)
            own_server.kill()
            own_server.start()
            await redis.connection_pool.disconnect()
            await publish(redis, comment_event(2))
            await eventually(lambda: sink.asked == 2)

            async def nothing_waits() -> bool:
                return not await redis.keys("b24:notifier:*:notices")

            await eventually(nothing_waits)  # else it would be told again
            assert await process.stop() == 0
        assert sink.asked == len(sink.received) == 2


async def test_an_audit_log_is_signed_though_the_log_cannot_be_written(
    broken: Broken, own_server: RedisServer, tmp_path: Path
) -> None:
    public = signing.generate(tmp_path / "audit.key")
    chain = tmp_path / "audit" / "events-0"

    def signed() -> int:
        return verify_by_key(chain, public).signed_count if chain.exists() else 0

    def signed_more_than(before: int) -> bool:
        return signed() > before

    async with Redis.from_url(own_server.url) as redis:
        settings = f"""
            [redis]
            url = "{own_server.url}"
            [audit]
            dir = "{tmp_path}/audit"
            signing_key = "file:{tmp_path}/audit.key"
            checkpoint_every_s = 0.2
            [log]
            level = "debug"
        """
        with configured_consumer("audit", settings, tmp_path, log=broken.descriptor) as process:
            for number in (1, 2, 3):
                before = signed()
                event = encode_event(comment_event(number))
                await redis.xadd("b24:events:{0}", {EVENT_FIELD: event})
                await eventually(partial(signed_more_than, before))
                broken.breaks()
            assert await process.stop() == 0
    assert verify_by_key(chain, public).fault is None


async def _forged(session: aiohttp.ClientSession, receiver: Receiver) -> int:
    url = f"http://127.0.0.1:{receiver.port}/bitrix24/events"
    async with session.post(url, data=_FORGED, headers=_FORM) as response:
        return response.status


async def _is_ready(session: aiohttp.ClientSession, receiver: Receiver) -> bool:
    return (await _probe(session, receiver, "readyz"))[0] == 200


async def _probe(session: aiohttp.ClientSession, receiver: Receiver, name: str) -> tuple[int, str]:
    async with session.get(f"http://127.0.0.1:{receiver.admin_port}/{name}") as response:
        return response.status, await response.text()
