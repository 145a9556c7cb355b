"""Trying the address that portals deliver to: certificates, redirects, somebody else's answer."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from gateway.doctor.finding import Finding
from gateway.doctor.public_address import look_at_public_address
from gateway.local.redis_server import free_port
from gateway.settings import Bitrix24Settings, Settings
from tests.support.receiver_process import receiving


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that this process trusts."""
    authority = trustme.CA()
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return authority


def certificate(authority: trustme.CA, *, days: float) -> ssl.SSLContext:
    ends = datetime.now(UTC) + timedelta(days=days)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1", not_after=ends).configure_cert(context)
    return context


@asynccontextmanager
async def site(
    answer: web.Response, context: ssl.SSLContext | None = None
) -> AsyncIterator[Settings]:
    """Settings whose public address answers so."""

    async def handle(_request: web.Request) -> web.Response:
        return answer

    app = web.Application()
    app.router.add_get("/{anything:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    scheme = "http" if context is None else "https"
    try:
        yield Settings(bitrix24=Bitrix24Settings(public_url=f"{scheme}://localhost:{port}"))
    finally:
        await runner.cleanup()


async def only(settings: Settings) -> Finding:
    (found,) = await look_at_public_address(settings)
    return found


async def test_the_receiver_itself_is_well(redis_url: str, tmp_path: Path) -> None:
    async with receiving(tmp_path, redis_url) as receiver:
        url = f"http://127.0.0.1:{receiver.port}"
        found = await only(Settings(bitrix24=Bitrix24Settings(public_url=url)))

    assert found.severity == "well"


@pytest.mark.parametrize(("days", "severity"), [(60, "well"), (10, "warning"), (2, "red")])
async def test_a_certificate_that_ends_soon_is_found(
    authority: trustme.CA, days: float, severity: str
) -> None:
    async with site(web.Response(text="ready"), certificate(authority, days=days)) as settings:
        found = await only(settings)

    assert found.severity == severity


async def test_a_certificate_of_nobody_is_red() -> None:
    stranger = certificate(trustme.CA(), days=60)
    async with site(web.Response(text="ready"), stranger) as settings:
        found = await only(settings)

    assert found.severity == "red"
    assert "certificate" in found.what


@pytest.mark.parametrize("status", [301, 302, 308])
async def test_a_redirect_is_red(status: int) -> None:
    answer = web.Response(status=status, headers={"Location": "https://elsewhere.example/"})
    async with site(answer) as settings:
        found = await only(settings)

    assert found.severity == "red"
    assert "redirect" in found.what


async def test_somebody_else_who_answers_is_red() -> None:
    for answer in (web.Response(text="It works!"), web.Response(status=404)):
        async with site(answer) as settings:
            assert (await only(settings)).severity == "red"


async def test_nobody_who_answers_is_red() -> None:
    url = f"http://127.0.0.1:{free_port()}"

    found = await only(Settings(bitrix24=Bitrix24Settings(public_url=url)))

    assert found.severity == "red"
