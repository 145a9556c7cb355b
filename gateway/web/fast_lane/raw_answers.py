"""Writes answers as the bytes that aiohttp would send for them."""

from typing import Final

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time

from gateway.publishing.batch import Stored

__all__ = ["raw_answer", "raw_stored_answer"]

_REASONS: Final = {200: "OK", 503: "Service Unavailable"}
_STORED: Final = (
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "X-Event-Id: %s\r\n"
    "X-Event-Stored: %s\r\n"
    "Content-Length: 2\r\n"
    "Date: %s\r\n"
    "\r\n"
    "ok"
)


def raw_stored_answer(event_id: str, stored: Stored) -> bytes:
    """What `fixed_answers.stored_answer` is on the wire."""
    return (_STORED % (event_id, stored, rfc822_formatted_time())).encode()


def raw_answer(response: web.Response) -> bytes:
    """What a fixed answer that has a text is on the wire, its connection being kept."""
    body = (response.text or "").encode()
    lines = [f"HTTP/1.1 {response.status} {response.reason}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    lines += [f"Content-Length: {len(body)}", f"Date: {rfc822_formatted_time()}", "", ""]
    return "\r\n".join(lines).encode() + body
