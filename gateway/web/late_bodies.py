"""Reads bodies that do not come with their heads, as genuine ones nearly always do.

Who waits to be asked for one (`Expect: 100-continue`) is asked, who never sends it is told so in
time, and the server can find out who owes one for how long when it needs room.
https://www.rfc-editor.org/rfc/rfc9110#name-expect
"""

import asyncio
from collections.abc import Iterator
from time import monotonic
from typing import Final

from aiohttp import HttpVersion11, web
from aiohttp.web_protocol import RequestHandler

from gateway.settings import HttpSettings

__all__ = ["LateBodies", "is_expectation_unknown"]

_GO_ON: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class LateBodies:
    """Reads what is still on its way, and knows which connections owe it."""

    def __init__(self, settings: HttpSettings) -> None:
        self._timeout_s = settings.body_timeout_s
        self._owed_since: dict[RequestHandler, float] = {}

    async def read(self, request: web.BaseRequest) -> bytes:
        """The body, when all of it is there.

        Raises HTTPRequestEntityTooLarge; TimeoutError, [http] body_timeout_s after the head; or
        ConnectionError or RequestPayloadError where the client goes, or its chunks are none.
        """
        self._owed_since[request.protocol] = monotonic()
        try:
            async with asyncio.timeout(self._timeout_s):
                if _waits_to_be_asked(request):
                    await request.writer.write(_GO_ON)
                    request.writer.output_size = 0  # of the answer, none of which this is
                return await request.read()
        finally:
            self._owed_since.pop(request.protocol, None)

    def owed_before(self, moment: float) -> Iterator[RequestHandler]:
        """The connections that have owed a body since before a `moment` (monotonic), the longest
        first.
        """
        for handler, since in self._owed_since.items():
            if since >= moment:
                return
            yield handler


def is_expectation_unknown(request: web.BaseRequest) -> bool:
    """Whether a client expects what nobody here can do; HTTP/1.0 knows no expectations."""
    expectation = request.headers.get("Expect")
    return (
        expectation is not None
        and request.version >= HttpVersion11
        and expectation.strip().lower() != "100-continue"
    )


def _waits_to_be_asked(request: web.BaseRequest) -> bool:
    """Whether the client sends its body only when told to; a body that has begun needs no word."""
    return (
        "Expect" in request.headers
        and request.version >= HttpVersion11
        and not request.content.total_bytes
    )
