"""Knows the heads of requests that aiohttp has read and that were deliveries.

A sender's heads are alike but for the length of the body. So nothing is parsed here: a head is
known because aiohttp read the same bytes before and what it read was an ordinary delivery that was
stored. Whatever a proxy in front understands of a request, this understands what aiohttp does.
"""

import re
from typing import Final

from aiohttp import HttpVersion11, web
from msgspec import Struct

__all__ = ["KnownHead", "KnownHeads", "WholeRequest", "whole_request"]

MAX_HEADS: Final = 1024
MAX_HEAD_BYTES: Final = 1024
# A megabyte at most. Bitrix24 sends from dozens of addresses, which a proxy writes into the head.

_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\nContent-Length: ([1-9][0-9]{0,5})\r\n")


class KnownHead(Struct, frozen=True, gc=False):
    """What the guard looks at in a head: the X-Forwarded-For headers in their order."""

    forwarded_for: tuple[str, ...]


class WholeRequest(Struct, frozen=True, gc=False):
    """Bytes that came in one read, taken apart as one whole request with a body.

    `head` is without the digits of its Content-Length, which are those of the body's real length.
    """

    head: bytes
    body: bytes


class KnownHeads:
    """Remembers the heads of ordinary deliveries; the latest ones, if there are very many."""

    def __init__(self) -> None:
        self._heads: dict[bytes, KnownHead] = {}

    def find(self, head: bytes) -> KnownHead | None:
        """What is known of a head (see WholeRequest)."""
        return self._heads.get(head)

    def learn(self, whole: WholeRequest, request: web.BaseRequest) -> None:
        """Remember a head, if aiohttp, which made `request` of these bytes, found it ordinary.

        To be called for deliveries that were stored; so strangers cannot fill the memory.
        """
        if not _is_ordinary(request, len(whole.body)):
            return
        if len(self._heads) >= MAX_HEADS:
            self._heads.clear()
        self._heads[whole.head] = KnownHead(tuple(request.headers.getall("X-Forwarded-For", ())))

    def __len__(self) -> int:
        return len(self._heads)


def whole_request(data: bytes) -> WholeRequest | None:
    """What came in one read, if it looks like one whole request with a body; None if not."""
    end = data.find(_END, 0, MAX_HEAD_BYTES) + len(_END)
    length = _LENGTH.search(data, 0, end)
    if length is None or end + int(length[1]) != len(data):
        return None
    start, stop = length.span(1)
    return WholeRequest(data[:start] + data[stop:end], data[end:])


def _is_ordinary(request: web.BaseRequest, body_length: int) -> bool:
    """Whether a request of the same head is the same whatever its body and its connection."""
    headers = request.headers
    return (
        request.version == HttpVersion11
        and request.keep_alive
        and request.content_length == body_length
        and headers.getall("Content-Length") == [str(body_length)]
        and not ("Transfer-Encoding" in headers or "Content-Encoding" in headers)
        and not ("Expect" in headers or "Upgrade" in headers or "Trailer" in headers)
    )
