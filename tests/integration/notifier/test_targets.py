import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from aiohttp import web

from consumers.notifier.rendering import TargetMessage
from consumers.notifier.targets import Target
from gateway.errors import OperatorError
from gateway.local.redis_server import free_port
from gateway.network_fence import Fence
from tests.integration.notifier.sinks import HttpSink, Received, http_sink, mail_sink

ANYWHERE = Fence(section="notifier", allow_private=True, networks=())
PUBLIC = Fence(section="notifier", allow_private=False, networks=())
MESSAGE = TargetMessage("Comment updated", "Call [b]today[/b]", "text")


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with http_sink() as listening:
        yield listening


def target(url: str, *, fence: Fence = ANYWHERE, timeout_s: float = 5.0) -> Target:
    return Target(url, name="sales/1", key="urls[1]", timeout_s=timeout_s, fence=fence)


async def test_an_http_target_gets_title_body_and_the_messages_id(sink: HttpSink) -> None:
    outcome = await target(f"{sink.url}?+X-Own=1").deliver(MESSAGE, message_id="e1")

    assert outcome.is_accepted
    (received,) = sink.received
    assert received.key == "e1"
    assert (received.body["title"], received.body["message"]) == (MESSAGE.title, MESSAGE.body)


async def test_messages_under_way_at_once_keep_their_own_ids(sink: HttpSink) -> None:
    sink.delay_s = 0.05
    to = target(sink.url)

    await asyncio.gather(
        *(to.deliver(TargetMessage("", f"body {n}", "text"), message_id=f"e{n}") for n in range(20))
    )

    assert {(one.key, one.body["message"]) for one in sink.received} == {
        (f"e{n}", f"body {n}") for n in range(20)
    }


async def test_a_refusal_tells_its_status_and_what_it_asks_for(sink: HttpSink) -> None:
    sink.answer = lambda _: web.Response(status=429, headers={"Retry-After": "7"})

    outcome = await target(sink.url).deliver(MESSAGE, message_id="e1")

    assert not outcome.is_accepted
    assert outcome.retry_after_s == 7
    assert outcome.reason.startswith("HTTP 429: ")


async def test_a_target_that_does_not_answer_is_left_at_the_deadline(sink: HttpSink) -> None:
    sink.delay_s = 2.0
    begun = time.monotonic()

    outcome = await target(sink.url, timeout_s=0.3).deliver(MESSAGE, message_id="e1")

    assert not outcome.is_accepted
    assert time.monotonic() - begun < 1.5


async def test_a_target_that_drips_its_answer_is_left_at_the_deadline() -> None:
    is_enough = asyncio.Event()
    has_ended = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not is_enough.is_set():
            writer.write(b"x")
            with suppress(TimeoutError):
                await asyncio.wait_for(is_enough.wait(), 0.25)
        writer.close()
        await writer.wait_closed()
        has_ended.set()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        outcome = await target(f"json://127.0.0.1:{port}/", timeout_s=0.5).deliver(
            MESSAGE, message_id="e1"
        )
        is_enough.set()
        await has_ended.wait()

    assert outcome.reason == "no answer within 1 s"


async def test_a_target_that_nobody_is_behind_is_a_failure_with_a_reason() -> None:
    outcome = await target(f"json://127.0.0.1:{free_port()}/").deliver(MESSAGE, message_id="e1")

    assert not outcome.is_accepted
    assert "Connection error" in outcome.reason


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.1.2.3", "[::1]"])
def test_a_url_into_a_private_network_stops_the_start(host: str) -> None:
    with pytest.raises(OperatorError, match="is in a private network"):
        target(f"json://{host}/", fence=PUBLIC)


@pytest.fixture
def _rebound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name hooks.example.com leads to loopback."""
    real = socket.getaddrinfo

    def rebound(host: str, *args: object, **options: object) -> object:
        return real("127.0.0.1" if host == "hooks.example.com" else host, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", rebound)


@pytest.mark.usefixtures("_rebound")
async def test_a_name_that_leads_into_a_private_network_is_not_connected_to(
    sink: HttpSink,
) -> None:
    to = target(f"json://hooks.example.com:{sink.port}/", fence=PUBLIC)

    outcome = await to.deliver(MESSAGE, message_id="e1")

    assert outcome.reason == "refused: the address is in a private network"
    assert sink.asked == 0


async def test_a_redirect_is_not_followed(sink: HttpSink) -> None:
    sink.answer = lambda received: (
        web.Response(status=307, headers={"Location": f"http://127.0.0.1:{sink.port}/inside"})
        if received.path == "/"
        else web.json_response({})
    )

    outcome = await target(sink.url).deliver(MESSAGE, message_id="e1")

    assert not outcome.is_accepted
    assert sink.asked == 1


async def test_a_redirect_that_the_url_asks_for_is_judged_as_well(sink: HttpSink) -> None:
    outside = Fence(section="notifier", allow_private=False, networks=("127.0.0.1/32",))
    location = ""

    def answer(received: Received) -> web.Response:
        if received.path == "/":
            return web.Response(status=307, headers={"Location": location})
        return web.Response()

    sink.answer = answer
    async with http_sink(host="127.0.0.2") as inside:
        outcomes = []
        for place in (f"127.0.0.1:{sink.port}", f"127.0.0.2:{inside.port}"):
            location = f"http://{place}/next"
            to = target(f"{sink.url}?redirect=yes", fence=outside)
            outcomes.append(await to.deliver(MESSAGE, message_id="e1"))

    followed, refused = outcomes
    assert followed.is_accepted, followed.reason
    assert [received.path for received in sink.received] == ["/next"]
    assert refused.reason == "refused: the address is in a private network"
    assert inside.asked == 0


async def test_a_mail_arrives_with_its_subject_and_formatted_body() -> None:
    port = free_port()
    with mail_sink(port) as mails:
        to = target(
            f"mailto://127.0.0.1:{port}?from=gateway@example.com&to=anna@example.com&mode=insecure"
        )
        assert to.dialect == "html"

        outcome = await to.deliver(
            TargetMessage("Comment updated", "<b>today</b>", "html"), message_id="e1"
        )

    assert outcome.is_accepted, outcome.reason
    (mail,) = mails.received
    assert "Comment updated" in mail["Subject"]
    assert mail["Idempotency-Key"] == "e1"
    assert "<b>today</b>" in mail.as_string()


@pytest.mark.usefixtures("_rebound")
async def test_a_mail_server_in_a_private_network_is_refused() -> None:
    port = free_port()
    with mail_sink(port) as mails:
        private = Fence(section="notifier", allow_private=False, networks=("10.0.0.0/8",))
        server = f"hooks.example.com:{port}"
        to = target(
            f"mailto://{server}?from=gateway@example.com&to=anna@example.com&mode=insecure",
            fence=private,
        )

        outcome = await to.deliver(MESSAGE, message_id="e1")

    assert outcome.reason == "refused: the address is in a private network"
    assert not mails.received
