"""What follows when a handler raised: pure decisions, without a clock and without Redis."""

import re
from typing import Final

from msgspec import Struct

from consumers.runtime.exceptions import Reject, Transient
from gateway.backoff import Backoff

__all__ = ["Bury", "Later", "Policy", "Split", "describe", "redacted"]

_MAX_ERROR: Final = 1000
_SECRET: Final = re.compile(
    r"(?i)((?:access_|refresh_|application_)?token|auth|password|passwd|secret|api_?key)"
    r"(['\"]?\s*[=:]\s*['\"]?)[^\s&'\",;)]+"
)
_USERINFO: Final = re.compile(r"(\w+://)[^\s/@]+@")


class Later(Struct, frozen=True):
    """Try again after a pause; `is_transient` if the attempt does not count."""

    pause_s: float
    is_transient: bool

    @property
    def outcome(self) -> str:
        """For logs and metrics."""
        return "transient" if self.is_transient else "failed"


class Bury(Struct, frozen=True):
    """Give up: a dead letter with this reason."""

    reason: str

    @property
    def outcome(self) -> str:
        """For logs and metrics."""
        return "dead"


class Split(Struct, frozen=True):
    """Try the batch again in halves, to find which of its entries cannot be handled."""

    outcome: str = "split"


class Policy(Struct, frozen=True, kw_only=True):
    """How often and how fast to try again, and which exceptions are transient."""

    max_attempts: int
    transient: tuple[type[Exception], ...] = ()
    backoff: Backoff = Backoff()

    def verdict(self, error: BaseException, *, failures: int, delays: int) -> Later | Bury:
        """What to do after `error`, with the counts of failures and delays before it.

        A handler's own CancelledError (a library under it gave up) is no failed attempt.
        """
        if isinstance(error, Reject):
            return Bury("rejected")
        if self.is_transient(error):
            asked_s = error.retry_after_s if isinstance(error, Transient) else None
            pause_s = self.backoff.delay_s(delays + 1) if asked_s is None else asked_s
            return Later(pause_s, is_transient=True)
        if failures + 1 >= self.max_attempts:
            return Bury("failed")
        return Later(self.backoff.delay_s(failures + 1), is_transient=False)

    def is_transient(self, error: BaseException) -> bool:
        """Whether the entry is not to blame."""
        return isinstance(error, (Transient, *self.transient)) or not isinstance(error, Exception)


def describe(error: BaseException) -> str:
    """An exception for people: its type and text, of bounded length, without secrets.

    One line. Whoever raises should leave secrets out; this is the second fence.
    """
    text = redacted(f"{type(error).__name__}: {_text(error)}")
    return text.replace("\n", " ")[:_MAX_ERROR]


def redacted(text: str) -> str:
    """The text without what looks like a secret, and without control characters but line ends."""
    text = _USERINFO.sub(r"\1***@", _SECRET.sub(r"\1\2***", text))
    return "".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in text)


def _text(error: BaseException) -> str:
    """What an exception says of itself, which a service's own class may fail at."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - it may raise anything, and the verdict stands
        return "(its text cannot be had)"
