#!/usr/bin/env bash
# aiohttp 3.14.5: web.Server, the low-level server, next to web.Application
#
# A client that sends "Expect: 100-continue" waits with the body until the server says "100 Continue".
# aiohttp says so only in web.Application. Its low-level web.Server parses the header, hands the
# request to the handler and never answers it, although nothing else in the program could (a handler
# has the request, not the connection): a handler that reads the body and a client that waits, wait
# for each other. curl gives up waiting after 1 s and sends; aiohttp's own client with expect100=True
# waits as long as its time-out.
#
# Expected: the server answers by itself, as web.Application does.
# What to do: write b"HTTP/1.1 100 Continue\r\n\r\n" to request.transport before reading the body.
#
# Seen:
#   web.Application: 200, 4 bytes read
#   web.Server: TimeoutError after 2 s
#   web.Server that writes it itself: 200, 4 bytes read
#
# https://docs.aiohttp.org/en/stable/web_advanced.html#expect-header
# https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check --quiet install aiohttp==3.14.5

timeout 30 "$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import logging
import sys

from aiohttp import ClientSession, ClientTimeout, web

logging.disable()  # of the traceback for the client that gives up


async def read(request: web.BaseRequest) -> web.Response:
    return web.Response(text=f"{len(await request.read())} bytes read")


async def continue_and_read(request: web.BaseRequest) -> web.Response:
    request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return await read(request)


async def answer_of(runner: web.BaseRunner) -> str:
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    try:
        async with (
            ClientSession(timeout=ClientTimeout(total=2)) as session,
            session.post(f"http://{host}:{port}/", data=b"body", expect100=True) as answer,
        ):
            return f"{answer.status}, {await answer.text()}"
    except TimeoutError:
        return "TimeoutError after 2 s"
    finally:
        await runner.cleanup()


async def main() -> list[str]:
    application = web.Application()
    application.router.add_post("/", read)
    return [
        await answer_of(web.AppRunner(application)),
        await answer_of(web.ServerRunner(web.Server(read), shutdown_timeout=0.1)),
        await answer_of(web.ServerRunner(web.Server(continue_and_read))),
    ]


seen = asyncio.run(main())
for server, answer in zip(("web.Application", "web.Server", "web.Server that writes it itself"), seen):
    print(f"{server}: {answer}")
sys.exit(seen != ["200, 4 bytes read", "TimeoutError after 2 s", "200, 4 bytes read"])
PYTHON
