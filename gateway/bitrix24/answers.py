"""Reads what an answer of a portal or of the authorization server means; no I/O.

Errors are told by the key `error`, not by the status: documentation, portals and versions disagree
on the latter, some errors come with 200, and some codes are the empty string.
https://apidocs.bitrix24.com/error-codes.html
"""

import re
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.bitrix24.errors import (
    AccessDenied,
    Bitrix24Error,
    MaybeDone,
    NoRest,
    NotFound,
    NotInPlan,
    OperationTimeLimit,
    PortalGone,
    PortalMoved,
    Refused,
    TokenRejected,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)

__all__ = [
    "MAX_OPERATING_PAUSE_S",
    "Answer",
    "Reply",
    "answer_of",
    "clock_of",
    "error_of",
    "members_of",
    "without_keys",
]

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAX_DESCRIPTION_CHARS: Final = 300
_MAX_CODE_CHARS: Final = 64
_MAX_HOST_CHARS: Final = 255
_LEAST_KEY_CHARS: Final = 8
# A method's time is counted in ten buckets of a minute: within one, the oldest leaves the window.
# https://apidocs.bitrix24.com/limits.html
_OPERATING_PAUSE_S: Final = 60.0
MAX_OPERATING_PAUSE_S: Final = 600.0
"""No method is blocked for longer, in seconds: that is the window in which its time counts."""
# An address may send two requests a second: https://apidocs.bitrix24.com/limits.html
_REQUESTS_PAUSE_S: Final = 0.5

_TOKEN_REJECTED: Final = frozenset({"expired_token", "invalid_token", "no_auth_found"})
_UNAUTHORIZED: Final = frozenset(
    {
        "application_not_found",
        "authorization_error",
        "bad_verification_code",
        "insufficient_scope",
        "invalid_client",
        "invalid_credentials",
        "invalid_grant",
        "invalid_scope",
        "not_installed",
        "user_access_error",
        "wrong_auth_type",
        "wrong_client",
    }
)
_NOT_IN_PLAN: Final = frozenset({"payment_required", "wrong_license"})
_NOT_FOUND: Final = frozenset({"error_not_found", "not_found"})
# Codes that stand for several things are read with their description. ACCESS_DENIED is said of a
# right that a user lacks, and of a portal whose plan has no REST ("REST API is available only on
# commercial plans", "REST is available only by subscription"); NOT_FOUND of what a method was asked
# for, and by the authorization server of a portal that is no more ("Portal not found").
_REST_IS_SOLD: Final = re.compile(r"\brest\b.*\bonly (on commercial plans|by subscription)\b")
_NO_PORTAL: Final = "portal not found"


class Reply(Struct, frozen=True):
    """What came back over HTTP; `location` is empty unless it is a redirect."""

    status: int
    location: str
    body: bytes


class Answer(Struct, frozen=True, kw_only=True):
    """A result, as JSON made it; of a list also how many there are, and where the next page is.

    `answered_at` is the portal's clock (Unix seconds), where it tells that.
    """

    result: Any
    total: int | None = None
    next_start: int | None = None
    answered_at: float | None = None


def without_keys(reply: Reply, secrets: tuple[str, ...]) -> Reply:
    """The reply with none of the keys in it by which it was asked for.

    Portals do say them back: in addresses at which files can be downloaded, for one.
    """
    body = reply.body
    for secret in secrets:
        if len(secret) >= _LEAST_KEY_CHARS and (key := secret.encode()) in body:
            body = body.replace(key, b"***")
    return reply if body is reply.body else replace(reply, body=body)


def answer_of(reply: Reply, *, now: float, secrets: tuple[str, ...]) -> dict[str, Any]:
    """The object that a successful answer is; raises the Bitrix24Error that another one means.

    `now` is in Unix seconds. `secrets` are cut out of what an error says.
    """
    if reply.status in _REDIRECTS:
        raise _moved(reply)
    try:
        tree = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        tree = None
    if not isinstance(tree, dict):
        raise MaybeDone(f"status {reply.status} with a body that is no JSON object")
    if tree.get("error") is not None:
        raise error_of(tree, status=reply.status, now=now, secrets=secrets)
    if not 200 <= reply.status < 300:
        raise MaybeDone(f"status {reply.status} without an error")
    return tree


def error_of(
    tree: dict[str, Any], *, status: int, now: float, secrets: tuple[str, ...]
) -> Bitrix24Error:
    """The exception for an object with the key `error`: a whole answer, or a command's of a batch.

    `status` is 0 for a command; it decides only about codes that nobody documents.
    """
    code = _shown(tree.get("error"), secrets)[:_MAX_CODE_CHARS].strip().lower()
    description = _shown(tree.get("error_description"), secrets)[:_MAX_DESCRIPTION_CHARS].strip()
    message = ": ".join(text for text in (code, description) if text) or "refused without a reason"
    reason = description.rstrip(".").lower()
    if code == "query_limit_exceeded":
        return TooManyRequests(message, code=code, retry_in_s=_REQUESTS_PAUSE_S)
    if code == "operation_time_limit":
        pause_s = _operating_pause_s(tree.get("time"), now=now)
        return OperationTimeLimit(message, code=code, retry_in_s=pause_s)
    if code in {"access_denied", ""} and _REST_IS_SOLD.search(reason):
        return NoRest(message, code=code)
    if code in _TOKEN_REJECTED:
        return TokenRejected(message, code=code)
    if code in _NOT_IN_PLAN:
        return NotInPlan(message, code=code)
    if code == "portal_deleted" or (code in _NOT_FOUND and reason == _NO_PORTAL):
        return PortalGone(message, code=code)
    if code == "overload_limit":
        return Unavailable(message, code=code)
    if code in _NOT_FOUND or (not code and reason == "not found"):
        return NotFound(message, code=code, description=description)
    if code == "access_denied" or (not code and reason == "access denied"):
        return AccessDenied(message, code=code, description=description)
    if code in _UNAUTHORIZED or status == 401:
        return Unauthorized(message, code=code)
    if code == "internal_server_error" or status >= 500:
        return MaybeDone(message, code=code)
    return Refused(message, code=code, description=description)


def members_of(tree: Any) -> dict[str, Any]:
    """A map as PHP sends it: one without members, or with the keys 0, 1, 2, …, comes as a list."""
    if isinstance(tree, list):
        return {str(index): value for index, value in enumerate(tree)}
    return tree if isinstance(tree, dict) else {}


def clock_of(time: Any) -> float | None:
    """The portal's clock in the block `time` of an answer, in Unix seconds."""
    finish = members_of(time).get("finish")
    return float(finish) if isinstance(finish, int | float) and finish > 0 else None


def _moved(reply: Reply) -> Bitrix24Error:
    try:
        # Host and port only: the path may hold a webhook's code.
        place = urlsplit(reply.location)
        host = place.hostname or ""
        port = f":{place.port}" if place.port else ""
    except ValueError:
        host, port = "", ""
    if not host or len(host) > _MAX_HOST_CHARS or not host.isprintable():
        return MaybeDone(f"status {reply.status} without an address to go to")
    return PortalMoved(f"{host}{port}")


def _operating_pause_s(time: Any, *, now: float) -> float:
    """Until when a method is blocked; by the portal's own clock, if it tells that too."""
    reset_at = members_of(time).get("operating_reset_at")
    if not isinstance(reset_at, int | float) or reset_at <= 0:
        return _OPERATING_PAUSE_S
    return min(max(reset_at - (clock_of(time) or now), 1.0), MAX_OPERATING_PAUSE_S)


def _shown(text: Any, secrets: tuple[str, ...]) -> str:
    shown = text if isinstance(text, str) else "" if text is None else str(text)
    for secret in secrets:
        if secret:
            shown = shown.replace(secret, "***")
    return shown
