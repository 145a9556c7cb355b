from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.settings import HttpSettings
from tests.integration.deploy.edge import PATH, caddy, nginx, open_edge


@pytest.fixture(params=["nginx", "caddy"])
async def edge(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SimpleNamespace]:
    """A proxy in front of a server that keeps what reaches it; and a client of the proxy."""
    proxy = nginx() if request.param == "nginx" else caddy()
    received: list[tuple[str, str, bytes]] = []

    async def keep(request: web.Request) -> web.Response:
        received.append((request.method, request.path, await request.read()))
        return web.Response(text="ok", headers={"X-Event-Id": "fake-id"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", keep)
    receiver = TestServer(app)
    await receiver.start_server()
    async with open_edge(tmp_path, receiver.port or 0, proxy=proxy) as edge:
        yield SimpleNamespace(send=edge.send, received=received)
    await receiver.close()


async def test_a_delivery_passes_whole_and_its_answer_comes_back(edge: SimpleNamespace) -> None:
    body = b"event=ONCRMTIMELINECOMMENTUPDATE&data%5BFIELDS%5D%5BID%5D=999"

    assert await edge.send("POST", PATH, body=body) == (200, "ok", "fake-id")
    assert edge.received == [("POST", PATH, body)]


@pytest.mark.parametrize("method", ["POST", "GET", "HEAD"])
@pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])
@pytest.mark.parametrize("path", [PATH, f"{PATH}/", f"/{PATH}", PATH.rpartition("/")[0]])
async def test_no_answer_is_ever_a_redirect(
    edge: SimpleNamespace, method: str, path: str, *, tls: bool
) -> None:
    status, _, _ = await edge.send(method, path, tls=tls)

    assert not 300 <= status < 400


async def test_a_token_that_came_without_tls_goes_no_further(edge: SimpleNamespace) -> None:
    status, said, _ = await edge.send("POST", PATH, body=b"auth=fake", tls=False)

    assert (status, said) == (426, "https only\n")
    assert edge.received == []


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/readyz", "/console/", "/api/"])
async def test_nothing_else_is_reached_from_outside(edge: SimpleNamespace, path: str) -> None:
    status, _, _ = await edge.send("GET", path)

    assert status == 404
    assert edge.received == []


@pytest.mark.parametrize("edge", ["nginx"], indirect=True)  # Caddy leaves it to the receiver
async def test_a_body_that_the_receiver_would_refuse_is_refused_before_it(
    edge: SimpleNamespace,
) -> None:
    largest = HttpSettings().max_body

    assert (await edge.send("POST", PATH, body=b"x" * largest))[0] == 200
    assert (await edge.send("POST", PATH, body=b"x" * (largest + 1)))[0] == 413


@pytest.mark.parametrize("edge", ["nginx"], indirect=True)  # Caddy has nothing for it
async def test_whoever_opens_the_page_again_and_again_has_to_wait(edge: SimpleNamespace) -> None:
    path = HttpSettings().install_path

    answers = [(await edge.send("POST", path))[0] for _ in range(30)]

    assert answers[:11] == [200] * 11
    assert 429 in answers
    assert (await edge.send("POST", PATH))[0] == 200
