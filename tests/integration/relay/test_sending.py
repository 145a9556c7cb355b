"""What a delivery runs into on its way is told in words, and the fence is around every way."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trustme
from aiohttp import web

from gateway.local.redis_server import free_port
from gateway.settings import EndpointSettings, RelaySettings
from gateway.webhooks.cloud_event_requests import CloudEventMessage
from gateway.webhooks.push_endpoints import PushEndpoint, endpoints_of, fence_of
from gateway.webhooks.webhook_sender import NotAnswered, WebhookAnswer, open_sender
from tests.integration.relay.receivers import SECRET, Receiver, receiver

MESSAGE = CloudEventMessage({"Content-Type": "application/json"}, b"{}")


def pushing_to(url: str, **options: Any) -> PushEndpoint:
    relay = RelaySettings(
        allow_private=True,
        endpoints=(EndpointSettings(name="crm", url=url, secrets=(SECRET,), **options),),
    )
    (endpoint,) = endpoints_of(relay)
    return endpoint


async def send(endpoint: PushEndpoint, **relay: Any) -> WebhookAnswer:
    fence = fence_of(RelaySettings(**({"allow_private": True} | relay)))
    async with open_sender(fence, endpoints=1) as sender:
        return await sender.send(endpoint, MESSAGE, message_id="1")


@asynccontextmanager
async def talking(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any],
) -> AsyncIterator[str]:
    """The URL of a server that speaks by hand."""
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


async def answered(text: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(text)
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
async def test_the_fence_judges_the_address_of_the_socket(host: str) -> None:
    async with receiver() as one:
        with pytest.raises(NotAnswered, match="private network") as raised:
            await send(
                pushing_to(f"http://{host}:{one.port}/hook"),
                allow_private=False,
                allow_networks=("10.0.0.0/8",),
            )

    assert not raised.value.is_sent
    assert one.asked == []


async def test_a_network_that_is_allowed_is_called() -> None:
    async with receiver() as one:
        await send_to(one, allow_private=False, allow_networks=("127.0.0.1/32",))

    assert len(one.asked) == 1


async def send_to(one: Receiver, **relay: Any) -> WebhookAnswer:
    return await send(pushing_to(one.url), **relay)


async def test_a_redirect_is_an_answer_and_followed_by_nobody() -> None:
    async with receiver() as one, receiver() as other:
        one.answer = lambda _pushed: web.Response(status=307, headers={"Location": other.url})
        answer = await send_to(one)

    assert (answer.status, answer.is_success) == (307, False)
    assert other.asked == []


async def test_of_an_endless_answer_only_the_beginning_is_read() -> None:
    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"a" * 65_536)
                await writer.drain()
        except OSError:
            writer.close()

    async with talking(endless) as url:
        answer = await asyncio.wait_for(send(pushing_to(url)), 10)

    assert answer.is_success
    assert answer.beginning == b"a" * 512


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"", "the connection was closed without an answer"),
        (b"hello\r\n\r\n", "no answer: ClientResponseError"),
    ],
)
async def test_what_is_no_http_is_no_answer(answer: bytes, told: str) -> None:
    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await answered(answer, writer)

    async with talking(nonsense) as url:
        with pytest.raises(NotAnswered) as raised:
            await send(pushing_to(url))

    assert (raised.value.reason, raised.value.is_sent) == (told, True)


async def test_nobody_there_is_told_without_the_address() -> None:
    with pytest.raises(NotAnswered) as raised:
        await send(pushing_to(f"http://127.0.0.1:{free_port()}/hook?key=fake-secret"))

    assert (raised.value.reason, raised.value.is_sent) == (
        "no connection: Connection refused",
        False,
    )


async def test_a_name_that_nobody_knows_is_told() -> None:
    with pytest.raises(NotAnswered, match="no address is known") as raised:
        await send(pushing_to("http://nobody.invalid/"))

    assert not raised.value.is_sent


async def test_who_does_not_answer_in_time_may_have_the_event() -> None:
    async with receiver() as one:
        one.gate.clear()
        with pytest.raises(NotAnswered, match="no answer in time") as raised:
            await send(pushing_to(one.url, timeout_s=0.3))
        assert len(one.asked) == 1

    assert raised.value.is_sent


async def test_an_account_in_the_url_is_sent_as_basic_authentication() -> None:
    async with receiver() as one:
        await send(pushing_to(one.url.replace("://", "://shop:fake-password@")))

    assert one.asked[0].headers["authorization"] == "Basic c2hvcDpmYWtlLXBhc3N3b3Jk"


async def test_a_certificate_that_nobody_vouches_for_is_not_accepted() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    server = await asyncio.start_server(lambda *_: None, "localhost", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    try:
        with pytest.raises(NotAnswered, match="certificate is not accepted") as raised:
            await send(pushing_to(f"https://localhost:{port}/"))
    finally:
        server.close()

    assert not raised.value.is_sent
