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
_MOST_DIGITS: Final = 6
_LENGTH: Final = re.compile(rb"\r\nContent-Length: ([1-9][0-9]{0,5})\r\n")


class KnownHead(Struct, frozen=True, gc=False):
    """A head, `before` and `behind` the digits of its Content-Length, and what the guard looks at
    in it: the X-Forwarded-For headers in their order.
    """

    before: bytes
    behind: bytes
    forwarded_for: tuple[str, ...]

    def body_of(self, data: bytes) -> bytes | None:
        """The body of what came in one read, if that is one whole request with this head.

        Says what `whole_request` and `find` say, at a third of the cost, to who guesses right.
        """
        start = len(self.before)
        stop = data.find(b"\r", start, start + _MOST_DIGITS + 1)
        if stop < 0 or not (data.startswith(self.before) and data.startswith(self.behind, stop)):
            return None
        body = data[stop + len(self.behind) :]
        return body if body and data[start:stop] == b"%d" % len(body) else None


class WholeRequest(Struct, frozen=True, gc=False):
    """Bytes that came in one read, taken apart as one whole request with a body.

    `before` and `behind` are its head, without the digits of its Content-Length, which are those of
    the body's real length.
    """

    before: bytes
    behind: bytes
    body: bytes

    @property
    def head(self) -> bytes:
        """All but the digits and the body."""
        return self.before + self.behind


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
        self._heads[whole.head] = KnownHead(
            whole.before,
            whole.behind,
            tuple(request.headers.getall("X-Forwarded-For", ())),
        )

    def __len__(self) -> int:
        return len(self._heads)


def whole_request(data: bytes) -> WholeRequest | None:
    """What came in one read, if it looks like one whole request with a body; None if not."""
    end = data.find(_END, 0, MAX_HEAD_BYTES) + len(_END)
    length = _LENGTH.search(data, 0, end)
    if length is None or end + int(length[1]) != len(data):
        return None
    start, stop = length.span(1)
    return WholeRequest(data[:start], data[stop:end], data[end:])


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
