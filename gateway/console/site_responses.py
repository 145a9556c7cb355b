"""Makes the console's responses, with the headers that keep other sites out of it."""

from importlib.resources import files
from typing import Any, Final

import msgspec
from aiohttp import web

__all__ = [
    "LANGUAGE_COOKIE",
    "SESSION_COOKIE",
    "asset",
    "guarded",
    "html_response",
    "json_response",
    "with_session",
    "without_session",
]

SESSION_COOKIE: Final = "b24_console"
LANGUAGE_COOKIE: Final = "b24_console_language"
_PATH: Final = "/console/"

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not `no-referrer`: with it browsers send no Origin with a form, by which we know our own.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Vary": "Cookie, Authorization, Sec-Fetch-Site",
}
_ASSETS: Final = {
    name: (files("gateway.console").joinpath("page", name).read_bytes(), kind)
    for name, kind in (("console.css", "text/css"), ("console.js", "text/javascript"))
}


def guarded(response: web.StreamResponse) -> web.StreamResponse:
    """The response with the headers that all have; unless it says otherwise, nobody keeps it."""
    for name, value in _HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def html_response(html: str, *, status: int = 200) -> web.Response:
    """A page."""
    return web.Response(status=status, text=html, content_type="text/html", charset="utf-8")


def json_response(answer: Any, *, status: int = 200) -> web.Response:
    """An answer of the API."""
    return web.Response(
        status=status, body=msgspec.json.encode(answer), content_type="application/json"
    )


def asset(name: str) -> web.Response | None:
    """The style or the script, which hold nothing of the installation; None for what is neither."""
    if name not in _ASSETS:
        return None
    body, kind = _ASSETS[name]
    headers = {"Cache-Control": "private, max-age=60"}
    return web.Response(body=body, content_type=kind, charset="utf-8", headers=headers)


def with_session(response: web.Response, value: str, age_s: int, *, is_secure: bool) -> None:
    """Let the browser keep the session: no script sees it, and no other site has it sent."""
    response.set_cookie(
        SESSION_COOKIE,
        value,
        max_age=age_s,
        path=_PATH,
        httponly=True,
        samesite="Strict",
        secure=is_secure,
    )


def without_session(response: web.Response) -> None:
    """Let the browser forget the session."""
    response.del_cookie(SESSION_COOKIE, path=_PATH, httponly=True, samesite="Strict")
