"""Makes the spans of requests to portals and to the authorization server.

Nothing of an address but the server is told: the path of a webhook is its secret, and so is the
query of whoever asks for tokens.
https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.trace import SpanKind

from gateway.bitrix24.answers import Reply
from gateway.spans import span

__all__ = ["request_span"]

_PORTS: Final = {"http": 80, "https": 443}


@contextmanager
def request_span(
    verb: str,
    server: str,
    template: str,
    *,
    about: Mapping[str, str | int | Sequence[str]] | None = None,
) -> Iterator[Callable[[Reply], Reply]]:
    """A span around a request and the reading of its answer; tell it the reply.

    `server` is any URL of the server, `template` the path as it may be told, `about` what else is.
    """
    place = urlsplit(server)
    attributes: dict[str, str | int | Sequence[str]] = {
        "http.request.method": verb,
        "server.address": place.hostname or "",
        "server.port": place.port or _PORTS[place.scheme],
        "url.template": template,
        "url.full": f"{place.scheme}://{place.netloc.rpartition('@')[2]}{template}",
        **(about or {}),
    }
    with span(f"{verb} {template}", SpanKind.CLIENT, attributes) as request:

        def answered(reply: Reply) -> Reply:
            request.set_attribute("http.response.status_code", reply.status)
            return reply

        yield answered
