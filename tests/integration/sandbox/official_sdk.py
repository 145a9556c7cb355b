"""b24pysdk, Bitrix24's own SDK, connected to a portal of the sandbox over TLS.

https://github.com/bitrix24/b24pysdk. The authorization server's address is fixed in its code, so it
is patched here. It is synchronous, and therefore called on threads.
"""

import asyncio
import gc
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
import trustme
from b24pysdk import BitrixApp, BitrixToken, Config
from b24pysdk.api.requesters import BitrixOAuthRequester
from b24pysdk.client import BaseClient
from b24pysdk.credentials import OAuthPlacementData

from gateway.sandbox.assembly import Sandbox, open_sandbox
from gateway.sandbox.live_portal import LivePortal
from tests.support.eventually import eventually

UPDATE = "onCrmTimelineCommentUpdate"


T = TypeVar("T")


@pytest.fixture
async def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    async with open_sandbox(tls=tls) as one:
        root = one.authorization_url
        assert root.startswith("https://")
        monkeypatch.setattr(BitrixOAuthRequester, "_OAUTH_TOKEN_URL", f"{root}oauth/token/")
        monkeypatch.setattr(BitrixOAuthRequester, "_APP_INFO_URL", f"{root}rest/app.info/")
        yield one
        # Answers, which hang on exceptions, hold the SDK's sockets open; and asyncio, which closes
        # TLS in several steps, complains of sockets that are open when its loop ends.
        await eventually(lambda: not open_connections(), timeout_s=5)


def open_connections() -> list[Any]:
    """What this process has accepted, and not closed yet."""
    gc.collect()
    connections = psutil.Process().net_connections(kind="tcp4")
    listening = {one.laddr for one in connections if one.status == psutil.CONN_LISTEN}
    return [
        one for one in connections if one.laddr in listening and one.status != psutil.CONN_LISTEN
    ]


@pytest.fixture
async def portal(sandbox: Sandbox) -> LivePortal:
    one = await sandbox.add_portal()
    await one.install(None)
    one.finish_installation()
    return one


@pytest.fixture
def app(sandbox: Sandbox) -> BitrixApp:
    application = sandbox.application
    return BitrixApp(client_id=application.client_id, client_secret=application.client_secret)


@pytest.fixture
def token(portal: LivePortal, app: BitrixApp) -> BitrixToken:
    return token_of(portal, app)


@pytest.fixture
def client(token: BitrixToken) -> BaseClient:
    return token.get_client()


def token_of(portal: LivePortal, app: BitrixApp) -> BitrixToken:
    """A token that the SDK made of an opened page; of the address it keeps the host alone."""
    opened = portal.open_page()
    data = OAuthPlacementData.from_dict(opened.query | opened.form)
    made = BitrixToken.from_oauth_placement_data(data, app)
    assert (made.domain, made.auth_token) == (portal.domain, opened.form["AUTH_ID"])
    return made


async def answered(ask: Callable[[], T]) -> T:
    def once() -> T:
        # It repeats what is answered with 503, after seconds. This is set for each thread.
        Config().default_max_retries = 1
        return ask()

    return await asyncio.to_thread(once)
