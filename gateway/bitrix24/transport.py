"""Sends one request over HTTP and reads its reply: no redirects, no cookies, no retries, a bounded
body.

aiohttp's exceptions may show a URL, in which a webhook's code or the application's secret stands;
so they are told by name or reason only, and what is raised here has neither cause nor context.
"""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from gateway.bitrix24.answers import Reply
from gateway.bitrix24.errors import MaybeDone, Unavailable, UnknownName, Untrusted

__all__ = ["Transport", "open_transport"]

_JSON: Final = {"Content-Type": "application/json", "Accept": "application/json"}
# aiohttp repeats a GET by itself when a kept connection turns out to be dead. A refresh must not be
# sent twice, so its connections are not kept.
_ONCE: Final = {"Accept": "application/json", "Connection": "close"}


class Transport:
    """Sends requests on one session; `timeout_s` is for a whole request with its reply."""

    def __init__(self, session: ClientSession, *, timeout_s: float, max_answer_bytes: int) -> None:
        self._session = session
        self._timeout = ClientTimeout(total=timeout_s, sock_connect=min(10.0, timeout_s))
        self._max_answer_bytes = max_answer_bytes

    async def post(self, url: str, body: bytes) -> Reply:
        """Send JSON. Raises Unavailable if it was not sent, MaybeDone if the reply is missing."""
        return await self._send("POST", url, data=body, headers=_JSON)

    async def get(self, url: str, query: Mapping[str, str]) -> Reply:
        """Ask once, on a connection of its own. Raises as `post` does."""
        return await self._send("GET", url, params=query, headers=_ONCE)

    async def _send(self, verb: str, url: str, **content: Any) -> Reply:
        try:
            async with self._session.request(
                verb, url, allow_redirects=False, timeout=self._timeout, **content
            ) as response:
                body = await self._body(response)
                if body is not None:
                    return Reply(response.status, response.headers.get("Location", ""), body)
                failure: Unavailable = MaybeDone(
                    f"the answer is larger than {self._max_answer_bytes} bytes"
                )
        except aiohttp.ClientConnectorCertificateError as error:
            failure = Untrusted(f"its certificate is not accepted: {_why(error)}")
        except aiohttp.ClientConnectorDNSError as error:
            failure = UnknownName(f"no address is known of its name: {_said(error)}")
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            failure = Unavailable(f"no connection ({type(error).__name__})")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = MaybeDone(f"no answer ({type(error).__name__})")
        raise failure

    async def _body(self, response: aiohttp.ClientResponse) -> bytes | None:
        """The whole body; None if there is more of it than is read."""
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > self._max_answer_bytes:
                return None
        return bytes(body)


def _why(error: aiohttp.ClientConnectorCertificateError) -> str:
    """What is wrong with the certificate, and which authorities are trusted; names no URL."""
    cause = error.certificate_error
    said = getattr(cause, "verify_message", "") or type(cause).__name__
    paths = ssl.get_default_verify_paths()
    return f"{said} (trusted are those of {paths.cafile or paths.capath or 'nobody'})"


def _said(error: aiohttp.ClientConnectorDNSError) -> str:
    return error.os_error.strerror or type(error.os_error).__name__


@asynccontextmanager
async def open_transport(*, timeout_s: float, max_answer_bytes: int) -> AsyncIterator[Transport]:
    """A transport with a session of its own, closed at the end.

    Connections are not counted: the limiter bounds them per portal, and a bound over all portals
    would let a slow one hold up the others.
    """
    async with ClientSession(
        connector=TCPConnector(limit=0), cookie_jar=DummyCookieJar(), trust_env=False
    ) as session:
        yield Transport(session, timeout_s=timeout_s, max_answer_bytes=max_answer_bytes)
