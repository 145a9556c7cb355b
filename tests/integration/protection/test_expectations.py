"""`Expect: 100-continue` is answered, for some clients send no body before it is."""

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.integration.protection.edge import BODY, FORM, HEAD, PATH, Serve, counted, post
from tests.support.connections import connected
from tests.support.program import surroundings
from tests.support.starting import finished

LENGTH = f"Content-Length: {len(BODY)}\r\n"
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


async def answers(port: int, *sent: bytes, ends_with: bytes = b"ok") -> bytes:
    """All that comes back, up to its end or `ends_with`; later parts are sent after an answer."""
    async with connected(port) as (reader, writer):
        received = b""
        async with asyncio.timeout(5):
            for part in sent[:-1]:
                writer.write(part)
                received += await reader.readuntil(b"\r\n\r\n")
            writer.write(sent[-1])
            while not received.endswith(ends_with) and (more := await reader.read(1000)):
                received += more
    return received


async def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(serve: Serve) -> None:
    port = await serve()

    received = await answers(port, f"{HEAD}{LENGTH}Expect: 100-Continue\r\n\r\n".encode(), BODY)

    assert received.startswith(GO_ON + b"HTTP/1.1 200 OK\r\n")


async def test_a_chunked_body_is_asked_for_as_well(serve: Serve) -> None:
    port = await serve()
    head = f"{HEAD}Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n".encode()
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)

    assert (await answers(port, head, chunks)).startswith(GO_ON + b"HTTP/1.1 200 OK\r\n")


async def test_nobody_is_asked_for_a_body_that_is_there(serve: Serve) -> None:
    port = await serve()
    head = f"{HEAD}{LENGTH}Expect: 100-continue\r\n\r\n".encode()

    assert (await answers(port, head + BODY)).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_http_1_0_knows_no_expectations(serve: Serve) -> None:
    port = await serve(body_timeout_s=0.3)
    head = f"{HEAD}{LENGTH}".replace("HTTP/1.1", "HTTP/1.0")

    for expectation in ("100-continue", "miracles"):
        received = await answers(port, f"{head}Expect: {expectation}\r\n\r\n".encode() + BODY)
        assert b" 200 OK\r\n" in received.partition(b"\n")[0] + b"\n"
    silent = await answers(port, f"{head}Expect: 100-continue\r\n\r\n".encode())
    assert b" 408 " in silent.partition(b"\n")[0]


@pytest.mark.parametrize("body", [b"", BODY], ids=["awaited", "sent"])
async def test_any_other_expectation_fails(serve: Serve, body: bytes) -> None:
    port = await serve()
    before = counted("refused", "expectation")

    received = await answers(port, f"{HEAD}{LENGTH}Expect: miracles\r\n\r\n".encode() + body)

    assert received.startswith(b"HTTP/1.1 417 Expectation Failed\r\n")
    assert counted("refused", "expectation") == before + 1


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (HEAD.replace(PATH, "/elsewhere") + LENGTH, 404),
        (HEAD.replace("POST", "PUT") + LENGTH, 405),
        (HEAD + "Content-Length: 65537\r\n", 413),
        (HEAD.replace(FORM["Content-Type"], "text/plain") + LENGTH, 415),
    ],
    ids=str,
)
async def test_a_refused_head_gets_its_answer_at_once_and_the_connection_ends(
    serve: Serve, head: str, status: int
) -> None:
    port = await serve()

    received = await answers(port, f"{head}Expect: 100-continue\r\n\r\n".encode())

    assert received.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nConnection: close\r\n" in received


async def test_a_network_that_is_not_allowed_is_not_asked_for_its_body(serve: Serve) -> None:
    port = await serve(allow_mode="enforce", allow_networks=("192.0.2.0/24",))

    received = await answers(port, f"{HEAD}{LENGTH}Expect: 100-continue\r\n\r\n".encode())

    assert received.startswith(b"HTTP/1.1 403 ")


async def test_aiohttp_is_answered(serve: Serve) -> None:
    assert (await post(await serve(), expect100=True))[0] == 200


async def test_curl_is_answered(serve: Serve, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed on this machine")
    port = await serve()
    body = tmp_path / "body"
    body.write_bytes(BODY)
    # More patience than the test has: without an answer curl would wait for it.
    options = ("--silent", "--max-time", "10", "--expect100-timeout", "60")
    sent = ("--header", "Expect: 100-continue", "--data-binary", f"@{body}")

    done = await finished(
        (curl, *options, *sent, f"http://127.0.0.1:{port}{PATH}"), environment=surroundings()
    )

    assert done.stdout == "ok"
