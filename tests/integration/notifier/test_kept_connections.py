"""Messages to a target share its connections and its threads, and nothing else."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import requests
from aiohttp import web

from consumers.notifier.kept_connections import KeptConnections
from consumers.notifier.rendering import TargetMessage
from consumers.notifier.sender_threads import Threads
from consumers.notifier.targets import Target
from consumers.notifier.watched_exchange import Exchange, watched
from gateway.network_fence import Fence
from tests.support.eventually import eventually

ANYWHERE = Fence(section="notifier", allow_private=True, networks=())
MESSAGE = TargetMessage("Comment updated", "Call", "text")


class Sink:
    """Notes from which port each request came, for which host, and with which cookies."""

    def __init__(self) -> None:
        self.port = 0
        self.ports: list[int] = []
        self.hosts: list[str] = []
        self.cookies: list[str] = []
        self.hangs_up = False

    async def handle(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        self.ports.append(request.transport.get_extra_info("peername")[1])
        self.hosts.append(request.host)
        self.cookies.append(request.headers.get("Cookie", ""))
        if self.hangs_up:  # without a word of it in the answer
            asyncio.get_running_loop().call_later(0.05, request.transport.close)
        response = web.Response(text="ok")
        response.set_cookie("session", "of-one-message")
        return response


@asynccontextmanager
async def listening() -> AsyncIterator[Sink]:
    sink = Sink()
    app = web.Application()
    app.router.add_post("/{path:.*}", sink.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        sink.port = runner.addresses[0][1]
        yield sink
    finally:
        await runner.cleanup()


def target(url: str) -> Target:
    return Target(url, name="sales/1", key="urls[1]", timeout_s=5.0, fence=ANYWHERE)


async def deliver(to: Target, count: int) -> None:
    for number in range(count):
        assert (await to.deliver(MESSAGE, message_id=f"e{number}")).is_accepted


async def test_messages_one_after_another_share_a_connection_and_no_cookies() -> None:
    async with listening() as sink:
        await deliver(target(f"json://127.0.0.1:{sink.port}/"), 5)

    assert len(sink.ports) == 5
    assert len(set(sink.ports)) == 1
    assert set(sink.cookies) == {""}


async def test_a_server_that_hangs_up_loses_no_message() -> None:
    async with listening() as sink:
        sink.hangs_up = True
        to = target(f"json://127.0.0.1:{sink.port}/")
        for number in range(3):
            assert (await to.deliver(MESSAGE, message_id=f"e{number}")).is_accepted
            await asyncio.sleep(0.1)  # as long as it takes to hang up

    assert len(set(sink.ports)) == 3


@pytest.mark.parametrize(("passed_s", "connections"), [(0.9, 1), (1.1, 2)])
async def test_a_connection_that_has_rested_is_not_used_again(
    passed_s: float, connections: int
) -> None:
    now = 1000.0
    kept = KeptConnections(2, now=lambda: now)

    def post(url: str) -> None:
        with watched(Exchange(ANYWHERE, kept)):
            requests.post(url, timeout=5)

    async with listening() as sink:
        url = f"http://127.0.0.1:{sink.port}/"
        await asyncio.to_thread(post, url)
        now += passed_s
        await asyncio.to_thread(post, url)

    assert len(set(sink.ports)) == connections


async def test_no_connection_gets_older_than_a_minute_however_busy_it_is() -> None:
    now = 1000.0
    kept = KeptConnections(2, now=lambda: now)

    def post(url: str) -> None:
        with watched(Exchange(ANYWHERE, kept)):
            requests.post(url, timeout=5)

    async with listening() as sink:
        for _ in range(70):
            await asyncio.to_thread(post, f"http://127.0.0.1:{sink.port}/")
            now += 0.95

    assert len(set(sink.ports)) == 2


async def test_a_proxy_of_the_environment_is_used_for_each_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with listening() as sink:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{sink.port}")
        monkeypatch.setenv("no_proxy", "direct.example")
        await deliver(target("json://notices.example/"), 2)

    assert sink.hosts == ["notices.example"] * 2


async def test_a_thread_does_the_next_message_and_ends_when_there_is_none() -> None:
    rested = threading.Event()
    threads = Threads(2, name="notify-test", rest_s=0.2, at_rest=rested.set)
    first = await threads.run(threading.get_ident)
    assert await threads.run(threading.get_ident) == first

    def names() -> list[str]:
        return [one.name for one in threading.enumerate()]

    await eventually(lambda: "notify-test" not in names())
    assert rested.is_set()
    assert await threads.run(lambda: "a new one") == "a new one"


async def test_as_many_threads_as_may_be_are_busy_at_once() -> None:
    threads = Threads(3, name="notify-test", rest_s=0.2)
    together = threading.Barrier(3, timeout=10)
    await asyncio.gather(*(threads.run(together.wait) for _ in range(6)))
