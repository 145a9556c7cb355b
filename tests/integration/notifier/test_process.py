import asyncio
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
from redis.asyncio import Redis

from tests.integration.notifier.processes import (
    EVENTS,
    comment_event,
    is_reading,
    notifier_process,
    publish,
)
from tests.integration.notifier.sinks import http_sink
from tests.support.consumer_process import ConsumerProcess, logged
from tests.support.eventually import eventually


async def test_an_event_on_the_stream_is_told_once_to_every_route(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with http_sink() as english, http_sink() as russian:
        routes = f"""
            allow_private = true
            [[notifier.routes]]
            urls = ["{english.url}"]
            window_s = 0
            [[notifier.routes]]
            urls = ["{russian.url}"]
            language = "ru"
            window_s = 0
        """
        with notifier_process(redis_url, routes, tmp_path) as process:
            await eventually(lambda: is_reading(redis), timeout_s=40)
            event = comment_event(999)

            await publish(redis, event, event, comment_event(1000))

            await eventually(lambda: len(english.received) == 2 and len(russian.received) == 2)
            url = _metrics_url(process)
            await eventually(lambda: _has_sent(url, 2))
        assert process.exit_code == 0
        (told,) = (one for one in english.received if one.key == event.id)
        assert told.body["title"] == "Comment updated (acme.bitrix24.com)"
        assert told.body["message"] == "Comment 999 was updated by user 7, 18 Dec 2025 08:18 UTC."
        (told,) = (one for one in russian.received if one.key == event.id)
        assert (
            told.body["message"] == "Комментарий 999 изменён, пользователь 7, 18.12.2025 08:18 UTC."
        )


def _metrics_url(process: ConsumerProcess) -> str:
    """Where the process shows its metrics."""
    (url,) = (line["url"] for line in process.lines("health and metrics"))
    return str(url)


async def _has_sent(url: str, count: int) -> bool:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        counted = f'b24_notifier_messages_sent_total{{target="1/1"}} {count}.0'
        return counted in await response.text()


KILLS = 2
AT_ONCE = 16
"""How many messages are under way to one target, so how many a kill can cut off."""


@pytest.mark.parametrize("after_crash", ["resend", "drop"])
async def test_kills_under_load_end_with_each_event_once_at_the_sink(
    redis: Redis, redis_url: str, tmp_path: Path, after_crash: str
) -> None:
    """Under `resend` a sink that drops doubles has each event once; under `drop` no doubles come,
    and each event that is missing was told in the log."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    events = [comment_event(number) for number in range(400)]
    async with http_sink() as sink:
        sink.delay_s = 0.01
        routes = f"""
            allow_private = true
            [[notifier.routes]]
            urls = ["{sink.url}"]
            window_s = 0
            timeout_s = 0.5
            after_crash = "{after_crash}"
        """
        for kill in range(KILLS):
            with notifier_process(redis_url, routes, tmp_path) as process:
                await eventually(lambda: is_reading(redis), timeout_s=40)
                if kill == 0:
                    await publish(redis, *events)
                wanted = len(sink.received) + chance.randint(20, 100)
                await eventually(lambda wanted=wanted: len(sink.received) >= wanted, timeout_s=30)  # type: ignore[misc]
                process.kill()
        with notifier_process(redis_url, routes, tmp_path):
            outbox = "b24:notifier:{1/1}:due"
            await eventually(lambda: _is_done(redis, outbox), timeout_s=40)
        keys = Counter(sink.keys)
        log = logged(tmp_path, "notifier")
        cut_off = log.count("cut off by a crash")
    print(f"doubles {sink.doubles}, cut off {cut_off}")
    ids = {event.id for event in events}
    if after_crash == "resend":
        assert keys.keys() == ids
        assert sink.doubles <= KILLS * AT_ONCE
    else:
        assert keys.keys() <= ids
        assert sink.doubles == 0
        assert cut_off <= KILLS * AT_ONCE
        assert all(key in log for key in ids - keys.keys())


async def _is_done(redis: Redis, outbox: str) -> bool:
    """Whether the stream is read to its end and nothing waits to be sent."""
    (group,) = await redis.xinfo_groups(EVENTS)
    return not group["lag"] and not group["pending"] and not await redis.exists(outbox)


@pytest.mark.parametrize(("is_repeated", "within_s"), [(False, 10.0), (True, 2.5)])
async def test_stopping_ends_the_process_though_a_target_drips_its_answer(
    redis: Redis, redis_url: str, tmp_path: Path, *, is_repeated: bool, within_s: float
) -> None:
    is_asked, is_enough = asyncio.Event(), asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A byte at a time, so that no time-out of a read ever comes."""
        await reader.readuntil(b"\r\n\r\n")
        is_asked.set()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        with suppress(ConnectionError):
            while not is_enough.is_set():
                writer.write(b"x")
                await writer.drain()
                with suppress(TimeoutError):
                    await asyncio.wait_for(is_enough.wait(), 0.25)
            writer.close()
            await writer.wait_closed()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        routes = f"""
            allow_private = true
            [[notifier.routes]]
            urls = ["json://127.0.0.1:{port}/"]
            window_s = 0
            timeout_s = 30.0
            [consumers]
            grace_s = 3.0
        """
        with notifier_process(redis_url, routes, tmp_path) as process:
            await eventually(lambda: is_reading(redis), timeout_s=40)
            await publish(redis, comment_event(999))
            await asyncio.wait_for(is_asked.wait(), 20)

            def has_ended() -> bool:
                if is_repeated:  # at once, whatever is under way
                    process.send(signal.SIGTERM)
                return not process.is_running

            began = time.monotonic()
            process.send(signal.SIGTERM)
            await eventually(has_ended, timeout_s=20)
            took_s = time.monotonic() - began
            is_enough.set()
    assert process.exit_code == (1 if is_repeated else 0)
    assert took_s < within_s
    (waiting,) = await redis.hvals("b24:notifier:{1/1}:notices")
    assert waiting, "it is sent again when its lease ends"
