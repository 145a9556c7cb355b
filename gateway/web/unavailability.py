"""Answers 503, and says who got them: Bitrix24 does not send these events again."""

from time import monotonic
from typing import Final

from aiohttp import web

from gateway.inbound.admission import Admitted, Ignored
from gateway.publishing.outage import SharedOutage
from gateway.web.fixed_answers import unavailable

__all__ = ["Unavailability"]

_NAMED: Final = 60
_MINUTE_S: Final = 60.0
# So many deliveries a minute are named in the log, so that their comments can be looked up in the
# portal; the others are counted. The disk of the log may be the one that is full.


class Unavailability:
    """Keeps the state in which deliveries are answered 503, of one receiver."""

    def __init__(self) -> None:
        self._outage = SharedOutage(level="error", ends="deliveries are stored again")
        self._named = 0
        self._minute_began_at = -_MINUTE_S

    def answer(self, reason: str, verdict: Admitted | Ignored, *, event_id: str) -> web.Response:
        """The answer to a genuine delivery that cannot be stored now; `event_id` is the receipt."""
        self._outage.meets(
            "deliveries are answered 503 and lost", "all", events=1, reason=reason, status=503
        )
        now = monotonic()
        if now - self._minute_began_at >= _MINUTE_S:
            self._minute_began_at, self._named = now, 0
        self._named += 1
        return unavailable(
            reason,
            is_told=self._named <= _NAMED,
            event_id=event_id,
            member_id=verdict.member_id,
            **_subject_in_log(verdict),
        )

    def stored(self) -> None:
        """A delivery was stored."""
        if self._outage.lasts:
            self._outage.passed("all")


def _subject_in_log(verdict: Admitted | Ignored) -> dict[str, object]:
    """The key under which a line names what an event is about: `comment_id`, `deal_id`."""
    if isinstance(verdict, Ignored) or verdict.subject.id is None:
        return {}
    return {f"{verdict.subject.kind}_id": verdict.subject.id}
