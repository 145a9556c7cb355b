"""Sends deliveries over HTTP, and tells what came back: no redirects, no cookies, no retries.

The fence judges the very address that a socket is about to be connected to, so neither a name that
resolves differently the second time nor anything in between gets around it. There is no proxy,
which would be asked to connect by name. What is raised here names no URL, in which secrets may be.
"""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.hdrs import ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, USER_AGENT
from msgspec import Struct
from multidict import CIMultiDict, istr
from yarl import URL

from gateway.network_fence import AddressRefused, Fence
from gateway.webhooks.cloud_event_requests import CloudEventMessage
from gateway.webhooks.push_endpoints import PushEndpoint
from gateway.webhooks.webhook_signatures import ID, SIGNATURE, TIMESTAMP, signature

__all__ = ["REPLAY", "SAMPLE", "NotAnswered", "WebhookAnswer", "WebhookSender", "open_sender"]

REPLAY: Final = "x-gateway-replay"
SAMPLE: Final = "x-gateway-sample"

_AGENT: Final = "bitrix24-event-gateway"
# Known without regard to case from the first time on, which each delivery would have to find out.
_ID, _TIMESTAMP, _SIGNATURE = istr(ID), istr(TIMESTAMP), istr(SIGNATURE)
_KEEPALIVE_S: Final = 4.0
# Node closes a connection that is idle for five seconds, nginx and Apache later: whoever closes
# first does not post into a connection that the other side is just closing.
_CONNECT_S: Final = 10.0
_MOST_READ: Final = 64 * 1024
"""Bytes of an answer that are read, so that its connection can be used again."""
_MOST_SHOWN: Final = 512
_MOST_THREADS: Final = 256


class NotAnswered(Exception):
    """No answer came back, for a reason in words; `is_sent` if the endpoint may have the event."""

    def __init__(self, reason: str, *, is_sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_sent = is_sent


class WebhookAnswer(Struct, frozen=True):
    """What came back: the status, `Retry-After`, how long it took, and how the body begins."""

    status: int
    retry_after: str | None
    took_s: float
    beginning: bytes

    @property
    def is_success(self) -> bool:
        """Whether the endpoint has taken the event."""
        return 200 <= self.status < 300


class WebhookSender:
    """Sends on one session, for as many endpoints as there are."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._ways: dict[str, tuple[URL, CIMultiDict[str], ClientTimeout]] = {}

    async def send(
        self,
        endpoint: PushEndpoint,
        message: CloudEventMessage,
        *,
        message_id: str,
        is_replay: bool = False,
        is_sample: bool = False,
    ) -> WebhookAnswer:
        """Sign and send; what came back, whatever its status. Raises NotAnswered.

        `is_replay` tells the endpoint that an operator sends old events again, and `is_sample`
        that nothing of this one is true.
        """
        url, constant, timeout = self._way(endpoint)
        now = int(time.time())
        headers = constant.copy()
        headers.update(message.headers)
        headers[_ID] = message_id
        headers[_TIMESTAMP] = str(now)
        headers[_SIGNATURE] = signature(
            endpoint.keys, message_id=message_id, timestamp=now, body=message.body
        )
        if is_replay:
            headers[REPLAY] = "true"
        if is_sample:
            headers[SAMPLE] = "true"
        started = time.monotonic()
        try:
            async with self._session.post(
                url, data=message.body, headers=headers, allow_redirects=False, timeout=timeout
            ) as response:
                beginning = await _read(response)
                return WebhookAnswer(
                    response.status,
                    response.headers.get("Retry-After"),
                    time.monotonic() - started,
                    beginning,
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _told(error) from None

    def _way(self, endpoint: PushEndpoint) -> tuple[URL, CIMultiDict[str], ClientTimeout]:
        """What is the same for each delivery to an endpoint."""
        way = self._ways.get(endpoint.name)
        if way is None:
            constant = CIMultiDict({USER_AGENT: _AGENT, ACCEPT: "*/*", ACCEPT_ENCODING: "identity"})
            if endpoint.authorization is not None:
                constant[AUTHORIZATION] = endpoint.authorization
            total_s = endpoint.settings.timeout_s
            timeout = ClientTimeout(total=total_s, sock_connect=min(_CONNECT_S, total_s))
            way = self._ways[endpoint.name] = URL(endpoint.url), constant, timeout
        return way


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """How the body begins. What is too long is cut off; what fails from here on changes nothing:
    the endpoint has answered.
    """
    if response.content.at_eof():
        return b""
    read = bytearray()
    try:
        async for chunk in response.content.iter_any():
            read += chunk
            if len(read) > _MOST_READ:
                response.close()
                break
    except (aiohttp.ClientError, TimeoutError, OSError):
        response.close()
    return bytes(read[:_MOST_SHOWN])


def _told(error: Exception) -> NotAnswered:
    """What an operator is told of a failure, without URLs and addresses."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            cause = error.certificate_error
            said = getattr(cause, "verify_message", "") or type(cause).__name__
            return NotAnswered(f"its certificate is not accepted: {said}", is_sent=False)
        case aiohttp.ClientConnectorDNSError():
            return NotAnswered("no address is known of its name", is_sent=False)
        case aiohttp.ClientConnectorError(os_error=AddressRefused() as refusal):
            return NotAnswered(str(refusal), is_sent=False)
        case aiohttp.ClientConnectorError():
            number = error.os_error.errno  # in words of its own asyncio names the address
            why = os.strerror(number) if number else type(error.os_error).__name__
            return NotAnswered(f"no connection: {why}", is_sent=False)
        case aiohttp.ConnectionTimeoutError():
            return NotAnswered("no connection in time", is_sent=False)
        case TimeoutError():
            return NotAnswered("no answer in time", is_sent=True)
        case aiohttp.ServerDisconnectedError() | ConnectionResetError():
            return NotAnswered("the connection was closed without an answer", is_sent=True)
        case aiohttp.InvalidURL():
            return NotAnswered("its URL cannot be called", is_sent=False)
        case _:
            return NotAnswered(f"no answer: {type(error).__name__}", is_sent=True)


class _PatientResolver(AbstractResolver):
    """Resolves names on threads of its own: a name server that hangs for some holds up no other.

    aiohttp asks once at a time for each name.
    """

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name. Raises OSError."""
        asked = partial(
            socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM,
            flags=socket.AI_ADDRCONFIG,
        )  # fmt: skip
        found: Any = await asyncio.get_running_loop().run_in_executor(self._threads, asked)
        return [
            ResolveResult(
                hostname=host,
                host=address[0],
                port=address[1],
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Its owner ends the threads."""


@asynccontextmanager
async def open_sender(fence: Fence, *, endpoints: int) -> AsyncIterator[WebhookSender]:
    """A sender with a session of its own for so many endpoints, closed at the end.

    Connections are not counted here: whoever sends bounds them for each endpoint, and a bound over
    all of them would let one that hangs hold up the others.
    """

    def fenced(info: Any) -> socket.socket:
        family, kind, protocol, _, address = info
        if not fence.allows_address(str(address[0])):
            raise fence.refusal()
        return socket.socket(family, kind, protocol)

    threads = ThreadPoolExecutor(
        max_workers=max(1, min(endpoints, _MOST_THREADS)), thread_name_prefix="resolver"
    )
    try:
        connector = TCPConnector(
            limit=0,
            keepalive_timeout=_KEEPALIVE_S,
            resolver=_PatientResolver(threads),
            socket_factory=fenced,
        )
        async with ClientSession(
            connector=connector, cookie_jar=DummyCookieJar(), trust_env=False,
            auto_decompress=False,
        ) as session:  # fmt: skip
            yield WebhookSender(session)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
