"""Makes the fixed answers of the public port, and logs and counts each other than `ok`:
docs/http.md.
"""

from typing import Any, Final

import structlog
from aiohttp import web

from gateway import metrics
from gateway.publishing.batch import Stored

__all__ = ["answer", "answer_to_a_look", "forbidden", "last_answer", "stored_answer", "unavailable"]

log: Any = structlog.get_logger(__name__)

_RETRY_AFTER_S: Final = "5"
_TEXT: Final = "text/plain; charset=utf-8"
_LEVELS: Final = {"ignored": "info", "unavailable": "error"}
# An event that could not be stored is lost, and its line is all that is left of it.


def stored_answer(event_id: str, stored: Stored) -> web.Response:
    """The answer to an event that is stored."""
    return web.Response(
        body=b"ok",
        headers={"Content-Type": _TEXT, "X-Event-Id": event_id, "X-Event-Stored": stored},
    )


def answer(
    status: int, body: str, outcome: str, reason: str, *, is_told: bool = True, **about: Any
) -> web.Response:
    """An answer other than `ok`: one log line with its reason, if it `is_told`, and a count."""
    metrics.DELIVERIES.labels(outcome, reason).inc()
    if is_told:
        level = _LEVELS.get(outcome, "warning")
        getattr(log, level)(f"delivery {outcome}", status=status, reason=reason, **about)
    return web.Response(status=status, text=body)


def forbidden(reason: str, **about: Any) -> web.Response:
    """The one answer to whoever is not let in, whatever the reason."""
    return answer(403, "forbidden", "forbidden", reason, **about)


def last_answer(status: int, body: str, reason: str) -> web.Response:
    """Refuse a body that is not read to its end: the connection carries no other request."""
    response = answer(status, body, "refused", reason)
    response.force_close()
    return response


def unavailable(reason: str, *, is_told: bool = True, **about: Any) -> web.Response:
    """The answer when an event cannot be stored now."""
    response = answer(503, "unavailable", "unavailable", reason, is_told=is_told, **about)
    response.headers["Retry-After"] = _RETRY_AFTER_S
    return response


def answer_to_a_look(method: str) -> web.Response:
    """A person or a probe may look at the handler's URL; anything else is refused."""
    if method in {"GET", "HEAD"}:
        return web.Response(text="ready")
    response = answer(405, "method not allowed", "refused", "method")
    response.headers["Allow"] = "GET, HEAD, POST"
    return response
