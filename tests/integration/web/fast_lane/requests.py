"""Requests that differ from a usual delivery in one way or another, and usual ones."""

from collections.abc import Callable, Mapping
from typing import Final

from tests.fuzz.bodies import oddities, wire_bodies
from tests.support.catalogue_bodies import catalogue_bodies

__all__ = ["BODIES", "DEAL", "SHAPES", "USUAL", "usual"]

USUAL: Final = next(
    body for body in wire_bodies() if b"UPDATE&event_handler_id=185" in body and b"=999" in body
)
DEAL: Final = USUAL.replace(b"ONCRMTIMELINECOMMENTUPDATE", b"ONCRMDEALUPDATE")
_ENTITIES: Final = (
    *("onCrmDealMoveToCategory", "onTaskUpdate", "onTaskCommentAdd@new-card", "onUserAdd"),
    *("onCrmDynamicItemUpdate", "onCrmDynamicItemUpdate@of-its-type", "onImBotV2MessageAdd"),
    *(
        "onImCommandAdd",
        "OnImConnectorLineDelete",
        "OnExternalCallStart",
        "OnExternalCallBackStart",
    ),
    *("OnSignB2eMemberStatusChanged", "onSubscriptionRenew"),
)
BODIES: Final = (
    *wire_bodies(),
    USUAL.replace(b"3c6c9248", b"00000000"),
    USUAL.replace(b"010b6886", b"unknown0"),
    USUAL.replace(b"=999", b"=0"),
    USUAL.replace(b"=999", b"=9223372036854775808"),
    USUAL.replace(b"=999", b"=%39%399"),
    USUAL.replace(b"ts=1766047133", b"ts=1"),
    DEAL,
    DEAL.replace(b"=999", b"=0"),
    DEAL.replace(b"=999", b"=chat17"),
    DEAL.replace(b"ONCRMDEALUPDATE", b"ONZOOANIMALFEED"),
    DEAL.replace(b"ONCRMDEALUPDATE", b"ONCRMDEALUPDATE_1220"),
    DEAL + b"&data%5BNOTE%5D=3c6c9248ec54af6bea1159b43ee0ab32",
    *(one.body for one in catalogue_bodies() if one.name in _ENTITIES),
    USUAL.replace(b"acme.bitrix24.com&auth%5Bs", b"x%00y&auth%5Bs"),
    USUAL + b"&data%5BFIELDS%5D%5BID%5D=7",
    USUAL + b"\r\n",
    USUAL + b"&x=" + b"y" * 70_000,
    USUAL[:-1],
    b"x",
    b"a[b][c][d][e][f][g]=1",
    *oddities()[:8],
)
"""Bodies of Bitrix24 and of others."""


def usual(body: bytes = USUAL, *headers: bytes) -> bytes:
    """A delivery as it comes, with further headers."""
    return b"\r\n".join(
        (
            b"POST /bitrix24/events HTTP/1.1",
            b"Host: gateway.example",
            b"User-Agent: Bitrix24 Webhook Engine",
            *headers,
            b"Content-Type: application/x-www-form-urlencoded",
            b"Content-Length: %d" % len(body),
            b"",
            body,
        )
    )


def _changed(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda body: usual(body).replace(old, new, 1)


def _with(*headers: bytes) -> Callable[[bytes], bytes]:
    return lambda body: usual(body, *headers)


def _chunked(body: bytes) -> bytes:
    head = _changed(b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked")(body)
    return head.removesuffix(body) + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"


SHAPES: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "usual": usual,
    "through a proxy": _with(b"X-Forwarded-For: 192.0.2.7", b"X-Forwarded-Proto: https"),
    "through two proxies": _with(b"X-Forwarded-For: 192.0.2.7", b"X-Forwarded-For: 192.0.2.8"),
    "a longer head": _with(b"X-Long: " + b"y" * 600, b"X-Longer: " + b"z" * 600),
    "kept": _with(b"Connection: keep-alive"),
    "closed": _with(b"Connection: close"),
    "closed in another case": _with(b"connection: Close"),
    "upgraded": _with(b"Connection: Upgrade", b"Upgrade: h2c"),
    "expecting": _with(b"Expect: 100-continue"),
    "expecting more": _with(b"Expect: 200-ok"),
    "compressed": _with(b"Content-Encoding: gzip"),
    "chunked": _chunked,
    "chunked and measured": _with(b"Transfer-Encoding: chunked"),
    "in words": _with(b"Transfer-Encoding: identity"),
    "two lengths alike": lambda body: usual(body, b"Content-Length: %d" % len(body)),
    "two lengths": _with(b"Content-Length: 3"),
    "a list of lengths": lambda body: _changed(b"Length: ", b"Length: %d, " % len(body))(body),
    "a signed length": _changed(b"Content-Length: ", b"Content-Length: +"),
    "a padded length": _changed(b"Content-Length: ", b"Content-Length: 00"),
    "a length further right": _changed(b"Content-Length: ", b"Content-Length:  "),
    "no blank": _changed(b"Content-Length: ", b"Content-Length:"),
    "small letters": _changed(b"Content-Length: ", b"content-length: "),
    "a blank before the colon": _changed(b"Content-Length:", b"Content-Length :"),
    "folded": _with(b"X-Folded: one", b" two"),
    "a folded length": _changed(b"Content-Length: ", b"Content-Length:\r\n "),
    "hidden in a fold": _with(b"X-Folded: one", b"\tContent-Length: 3"),
    "bare line feeds": lambda body: usual(body).replace(b"\r\n", b"\n"),
    "one bare line feed": _changed(b"Engine\r\n", b"Engine\n"),
    "a bare return": _changed(b"Engine\r\n", b"Engine\rX: y\r\n"),
    "a NUL": _changed(b"Engine", b"Eng\0ine"),
    "an empty line before": lambda body: b"\r\n" + usual(body),
    "two empty lines before": lambda body: b"\r\n\r\n" + usual(body),
    "an absolute address": _changed(b" /bitrix24", b" http://gateway.example/bitrix24"),
    "a query": _changed(b"events HTTP", b"events?x=1 HTTP"),
    "an encoded path": _changed(b"/events", b"/%65vents"),
    "another path": _changed(b"/events", b"/event"),
    "HTTP/1.0": _changed(b"HTTP/1.1", b"HTTP/1.0"),
    "HTTP/1.0 kept": lambda body: usual(body, b"Connection: keep-alive").replace(b"/1.1", b"/1.0"),
    "HTTP/2.0": _changed(b"HTTP/1.1", b"HTTP/2.0"),
    "no host": _changed(b"Host: gateway.example\r\n", b""),
    "two hosts": _with(b"Host: other.example"),
    "another method": _changed(b"POST", b"PUT"),
    "a look": lambda body: b"GET /bitrix24/events HTTP/1.1\r\nHost: x\r\n\r\n" + body[:0],
    "another media type": _changed(b"x-www-form-urlencoded", b"json"),
    "a charset": _changed(b"urlencoded", b"urlencoded; charset=UTF-8"),
    "too short a length": lambda body: usual(body[:-1]) + body[-1:],
    "too long a length": lambda body: usual(body + b"x").removesuffix(b"x"),
    "a second one behind": lambda body: usual(body) + usual(body),
    "a third one behind": lambda body: usual(body) * 3,
    "half of a second one behind": lambda body: usual(body) + usual(body)[:60],
    "a look behind": lambda body: (
        usual(body) + b"GET /bitrix24/events HTTP/1.1\r\nHost: gateway.example\r\n\r\n"
    ),
}
"""Ways to send a body."""
