"""The public listener over real HTTP, with the publisher behind it replaced where it must fail."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from gateway.portals.application_tokens import digest_of
from gateway.portals.directory import Directory, Portal
from gateway.publishing.batch import Stored
from gateway.publishing.errors import CannotStore
from gateway.settings import HttpSettings
from gateway.web.public_server import PublicServer
from tests.support.bare_receiver import bare_receiver
from tests.support.connections import connected
from tests.support.eventually import eventually

WIRE = Path(__file__).parents[2] / "wire"
BODY = (WIRE / "comment-updated.app.form").read_bytes()
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PATH = "/bitrix24/events"
SECRETS = (
    "3c6c9248ec54af6bea1159b43ee0ab32",
    "be45f0660071849a0058f18a000000010000077261ef50fc26f1357adbd86a052c9e48",
)
Client = aiohttp.ClientSession


class Sink:
    """Keeps events, or fails in the way it is told to."""

    def __init__(self) -> None:
        self.events: list[bytes] = []
        self.answer: Stored | Exception = Stored.STREAM

    async def publish(self, event: bytes, partition: int) -> Stored:
        assert partition == 0
        if isinstance(self.answer, Exception):
            raise self.answer
        self.events.append(event)
        return self.answer


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
async def port(sink: Sink, tmp_path: Path) -> AsyncIterator[int]:
    """Where the listener is."""
    directory = Directory(
        [
            Portal(
                member_id="010b6886ebc205e43ae65000ee00addb",
                domain="acme.bitrix24.com",
                digests=(digest_of(SECRETS[0]), digest_of("jvh9y1ulvt2m6k5or90v9mg8nn32ozas")),
            )
        ]
    )
    settings = HttpSettings(header_timeout_s=0.2, body_timeout_s=0.2)
    async with bare_receiver(directory, sink, settings, spool_dir=tmp_path) as receiver:
        server = PublicServer(receiver, settings, max_connections=100)
        runner = web.ServerRunner(server)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with server.sweeping():
            yield runner.addresses[0][1]
        await runner.cleanup()


@pytest.fixture
async def client(port: int) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        yield session


def counted(outcome: str, reason: str) -> float:
    labels = {"outcome": outcome, "reason": reason}
    return REGISTRY.get_sample_value("b24gw_deliveries_total", labels) or 0.0


async def post(
    client: Client, body: bytes = BODY, headers: dict[str, str] = FORM
) -> tuple[int, str, dict[str, str]]:
    async with client.post(PATH, data=body, headers=headers, allow_redirects=False) as response:
        return response.status, await response.text(), dict(response.headers)


@pytest.mark.parametrize("stored", list(Stored))
async def test_an_event_that_is_stored_is_answered_with_its_id_and_place(
    client: Client, sink: Sink, stored: Stored
) -> None:
    sink.answer = stored

    status, body, headers = await post(client)

    assert (status, body) == (200, "ok")
    assert headers["X-Event-Stored"] == stored.value
    assert headers["X-Event-Id"].encode() in sink.events[0]


async def test_no_answer_tells_versions_and_each_text_is_called_text(client: Client) -> None:
    async def of(path: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
        async with client.post(path, data=body, headers=headers) as response:
            return dict(response.headers)

    for answer in (
        await of(PATH, BODY, FORM),
        await of(PATH, b"auth[member_id]=nobody", FORM),
        await of("/nowhere", BODY, FORM),
        await of(PATH, BODY, {"Content-Type": "application/json"}),
    ):
        assert "Server" not in answer
        assert answer["Content-Type"] == "text/plain; charset=utf-8"


async def test_an_answer_to_what_is_no_http_tells_no_versions(port: int) -> None:
    async with connected(port) as (reader, writer):
        writer.write(b"this is no HTTP\r\n\r\n")
        answer = await reader.read()

    assert answer.startswith(b"HTTP/1.")
    assert b"aiohttp" not in answer
    assert b"Server:" not in answer


async def test_each_request_has_an_id_of_its_own(client: Client, sink: Sink) -> None:
    ids = {(await post(client))[2]["X-Event-Id"] for _ in range(3)}

    assert len(ids) == 3
    assert len(sink.events) == 3


@pytest.mark.parametrize(
    ("body", "status", "text", "outcome", "reason"),
    [
        (BODY.replace(SECRETS[0].encode(), b"wrong"), 403, "forbidden", "forbidden", "wrong_token"),
        (BODY.replace(b"010b", b"020b"), 403, "forbidden", "forbidden", "unknown_portal"),
        (
            BODY.replace(b"auth%5Bapplication_token%5D", b"x"),
            403,
            "forbidden",
            "forbidden",
            "missing_token",
        ),
        (b"", 403, "forbidden", "forbidden", "unknown_portal"),
        (BODY.replace(b"=999", b"=abc"), 400, "bad request", "malformed", "bad_id"),
        (BODY.replace(b"event=", b"evnt="), 400, "bad request", "malformed", "no_event"),
        (b"&".join(b"a%d=1" % n for n in range(2000)), 400, "bad request", "malformed", None),
        (BODY.replace(b"COMMENTUPDATE", b"X"), 200, "ignored", "ignored", "not_subscribed"),
        ((WIRE / "robot-activity.form").read_bytes(), 200, "ignored", "ignored", "robot"),
        (b"x=" + b"y" * 70_000, 413, "too large", "refused", "too_large"),
    ],
)
async def test_what_is_not_stored_is_answered_logged_and_counted(
    client: Client, sink: Sink, body: bytes, status: int, text: str, outcome: str, reason: str
) -> None:
    before = counted(outcome, reason)
    with capture_logs() as logs:
        answer = await post(client, body)

    assert answer[:2] == (status, text)
    assert sink.events == []
    (line,) = logs
    assert line["event"] == f"delivery {outcome}"
    if reason is not None:
        assert line["reason"] == reason
        assert counted(outcome, reason) == before + 1
    assert not any(secret in str(line) for secret in SECRETS)


async def test_a_body_that_grows_over_the_limit_without_saying_so_is_refused(
    client: Client,
) -> None:
    async def chunks() -> object:
        for _ in range(100):
            yield b"y" * 1000

    async with client.post(PATH, data=chunks(), headers=FORM) as response:
        assert response.status == 413


@pytest.mark.parametrize("error", [CannotStore("redis_away"), RuntimeError("a bug")])
async def test_what_cannot_be_stored_is_503_with_retry_after_and_never_200(
    client: Client, sink: Sink, error: Exception
) -> None:
    sink.answer = error

    with capture_logs() as logs:
        status, body, headers = await post(client)

    assert (status, body, headers["Retry-After"]) == (503, "unavailable", "5")
    line = logs[-1]
    assert (line["event"], line["log_level"]) == ("delivery unavailable", "error")


@pytest.mark.parametrize(
    "media_type",
    [
        "application/x-www-form-urlencoded; charset=utf-8",
        "Application/X-WWW-Form-Urlencoded;charset=UTF-8",
    ],
)
async def test_the_media_type_is_read_tolerantly(client: Client, media_type: str) -> None:
    assert (await post(client, headers={"Content-Type": media_type}))[0] == 200


@pytest.mark.parametrize("media_type", ["application/json", "multipart/form-data", "", "text"])
async def test_another_media_type_is_refused(client: Client, media_type: str) -> None:
    assert (await post(client, headers={"Content-Type": media_type}))[0] == 415


async def test_a_person_and_a_probe_may_look(client: Client) -> None:
    async with client.get(PATH) as response:
        assert (response.status, await response.text()) == (200, "ready")
    async with client.head(PATH) as response:
        assert response.status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_refused(client: Client, method: str) -> None:
    async with client.request(method, PATH) as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/bitrix24/events/", "/console/"])
async def test_no_other_path_answers_and_nothing_redirects(client: Client, path: str) -> None:
    async with client.get(path, allow_redirects=False) as response:
        assert response.status == 404


async def answer_to_raw(port: int, sent: bytes) -> bytes:
    """What comes back on a connection that sends this and then nothing more."""
    async with connected(port) as (reader, writer):
        writer.write(sent)
        async with asyncio.timeout(5):
            return await reader.read()


@pytest.mark.parametrize("sent", [b"", b"POST /bitrix24/events HTTP/1.1\r\nHost: x\r\n"])
async def test_a_client_that_does_not_finish_its_headers_is_cut(port: int, sent: bytes) -> None:
    assert await answer_to_raw(port, sent) == b""


async def test_a_client_that_does_not_finish_its_body_is_answered_and_cut(port: int) -> None:
    head = b"POST /bitrix24/events HTTP/1.1\r\nHost: x\r\n" + b"".join(
        b"%s: %s\r\n" % (name.encode(), value.encode()) for name, value in FORM.items()
    )

    answer = await answer_to_raw(port, head + b"Content-Length: 500\r\n\r\nevent=")

    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_what_is_no_http_is_refused_in_one_line(port: int) -> None:
    sent = b"POST /bitrix24/events HTTP/1.1\r\nX: " + b"y" * 10_000 + b"\r\n\r\n"
    before = counted("refused", "bad_http")
    with capture_logs() as logs:
        answer = await answer_to_raw(port, sent)

    assert b" 400 Bad Request" in answer
    assert [line["reason"] for line in logs] == ["bad_http"]
    assert counted("refused", "bad_http") == before + 1


async def test_a_client_that_goes_in_the_middle_of_its_body_is_counted(port: int) -> None:
    before = counted("refused", "cut_body")
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM['Content-Type']}\r\n"
    with capture_logs() as logs:
        async with connected(port) as (_, writer):
            writer.write(f"{head}Content-Length: 100\r\n\r\nevent=".encode())
        await eventually(lambda: counted("refused", "cut_body") > before)

    assert [line["reason"] for line in logs] == ["cut_body"]
