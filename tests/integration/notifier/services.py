"""The hosts of real services, played on loopback over TLS, so that Apprise's own plugins send."""

import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web
from msgspec import Struct, json

__all__ = ["Asked", "Services", "services"]


class Asked(Struct, frozen=True):
    """A request to one of the hosts; `form` has the fields of JSON and of forms alike."""

    host: str
    path: str
    text: str
    form: dict[str, Any]


def _accept(_asked: Asked) -> web.Response:
    return web.json_response({"ok": True})


class Services:
    """Whatever was sent to any host, and what it is answered."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], web.Response] = _accept

    async def handle(self, request: web.Request) -> web.Response:
        text = await request.text()
        try:
            form = json.decode(text, type=dict[str, Any])
        except ValueError:
            form = dict(await request.post())
        asked = Asked(request.host, request.path, text, form)
        self.asked.append(asked)
        return self.answer(asked)


@asynccontextmanager
async def services(patch: pytest.MonkeyPatch, directory: Path) -> AsyncIterator[Services]:
    """Every name leads to this machine while it lasts, with a certificate that clients trust."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "authority.pem"))
    patch.setenv("REQUESTS_CA_BUNDLE", str(directory / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # One name for each host that a test asks for, as Server Name Indication has it.
    contexts: dict[str, ssl.SSLContext] = {}

    def choose(connection: ssl.SSLSocket, name: str | None, _context: ssl.SSLContext) -> None:
        if name not in contexts:
            contexts[name or ""] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(name or "localhost").configure_cert(contexts[name or ""])
        connection.context = contexts[name or ""]

    authority.issue_cert("localhost").configure_cert(context)
    context.sni_callback = choose  # type: ignore[assignment]
    all_of_them = Services()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", all_of_them.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    port = runner.addresses[0][1]
    real = socket.getaddrinfo

    def here(host: Any, asked_port: Any, *args: Any, **options: Any) -> Any:
        is_service = isinstance(host, str) and asked_port == 443
        where = ("127.0.0.1", port) if is_service else (host, asked_port)
        return real(*where, *args, **options)

    patch.setattr(socket, "getaddrinfo", here)
    try:
        yield all_of_them
    finally:
        await runner.cleanup()
