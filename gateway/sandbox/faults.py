"""Lets things go wrong with a portal or with the authorization server, when a test says so."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from gateway.sandbox.call_results import RestError, SeenCall

__all__ = ["Faults", "Mood", "error_page"]

Mood = Callable[[web.Request, Mapping[str, Any]], Awaitable[web.StreamResponse | None]]
"""Looks at a request and its parameters, and answers it, or leaves that to the portal."""


class Faults:
    """Holds switches, all off at first. What is switched on stays so until it is switched off.

    * `is_down`: connections are closed without an answer.
    * `delay_s`: every answer comes so much later.
    * `page`: the status of the HTML page that every call is answered with; 0 for none.
    * `refusal`: the status, code and description that every call is refused with.
    * `loses_events`: what the queue takes never arrives, and nobody learns of it.
    * `loses_answers`: requests are carried out, and then the connection is closed.
    * `mood`: asked first about every request.
    """

    def __init__(self) -> None:
        self.is_down = False
        self.delay_s = 0.0
        self.page = 0
        self.refusal: tuple[int, str, str] | None = None
        self.loses_events = False
        self.loses_answers = False
        self.mood: Mood | None = None

    def wrong_licence(self) -> None:
        """Refuse every call, as of a portal whose subscription has run out."""
        self.refusal = (403, "ACCESS_DENIED", "REST API is available only on commercial plans")

    def overload(self) -> None:
        """Refuse every call, as of a portal that was blocked by hand."""
        self.refusal = (503, "OVERLOAD_LIMIT", "REST API is blocked due to overload")

    def deleted(self) -> None:
        """Refuse every call, as of a portal that is no more."""
        self.refusal = (500, "PORTAL_DELETED", "Portal was deleted")

    async def intervene(
        self, request: web.Request, parameters: Mapping[str, Any], seen: SeenCall
    ) -> web.StreamResponse | None:
        """What goes wrong with a request, or None; noted in `seen`. Raises RestError."""
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.is_down:
            return no_answer(request, seen)
        if self.mood is not None:
            answer = await self.mood(request, parameters)
            if answer is not None:
                seen.status, seen.error = answer.status, "as the test says"
                return answer
        if self.page:
            seen.status, seen.error = self.page, "a page"
            return error_page(self.page)
        if self.refusal is not None:
            raise RestError(*self.refusal)
        return None

    def last(
        self, request: web.Request, answer: web.StreamResponse, seen: SeenCall
    ) -> web.StreamResponse:
        """What becomes of the answer to a request that was carried out."""
        return no_answer(request, seen) if self.loses_answers else answer

    def clear(self) -> None:
        """Switch everything off."""
        vars(self).update(vars(Faults()))


def no_answer(request: web.Request, seen: SeenCall) -> web.StreamResponse:
    """Close the connection as if the server had died."""
    seen.status, seen.error = 0, "no answer"
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def error_page(status: int, **headers: str) -> web.Response:
    """What web servers say for themselves instead of JSON."""
    return web.Response(
        status=status,
        headers=headers,
        text=f"<html><head><title>{status}</title></head><body>Sorry</body></html>",
        content_type="text/html",
    )
