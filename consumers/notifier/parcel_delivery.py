"""Gets one message to a target, if need be in plainer words, and has its outcome written down."""

from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from consumers.notifier import metrics
from consumers.notifier.notice_settlement import NoticeSettlement
from consumers.notifier.notices import not_accepted, sent
from consumers.notifier.rendering import TargetMessage
from consumers.notifier.routes import Channel
from consumers.notifier.send_plan import Parcel
from consumers.notifier.sending_spans import sending_span
from consumers.notifier.targets import SendOutcome
from gateway.backoff import Backoff

__all__ = ["ParcelDelivery", "pause_s"]

log = structlog.get_logger()

_BACKOFF: Final = Backoff(first_s=1.0, limit_s=300.0, jitter=0.0)
_PLAINER: Final = (1000, 0)
"""How much of a comment's text is tried in plain words, where a target refuses the message."""
_MAX_REFUSALS: Final = 6
"""As many failures as lead to half a minute's pause."""


class ParcelDelivery:
    """Delivers parcels to one target, several at once, and knows whether it fails.

    `lease_ms` is how long a parcel stays leased; `clock` gives milliseconds since 1970.
    """

    def __init__(
        self,
        channel: Channel,
        settlement: NoticeSettlement,
        *,
        lease_ms: int,
        clock: Callable[[], int],
    ) -> None:
        self._channel = channel
        self._target = channel.target
        self._settlement = settlement
        self._lease_ms = lease_ms
        self._clock = clock
        self._failures = 0
        self._accepts = False

    @property
    def is_failing(self) -> bool:
        """Whether the last message was not accepted, and none after it."""
        return bool(self._failures)

    async def deliver(self, parcel: Parcel) -> None:
        """Send a parcel whose notices are leased; on return its outcome is written down."""
        failures_before = self._failures
        with sending_span(parcel, self._target) as told:
            outcome, refusal = await self._outcome_of(parcel)
            told(outcome)
        line = log.bind(
            target=self._target.name,
            event_id=parcel.notices[0].notice.event_id,
            notices=len(parcel.notices),
        )
        # Nothing stands between sending and settling: what ended the task here would have the same
        # message sent again when its lease ends. So lines are logged afterwards.
        if outcome.is_accepted:
            self._failures = 0
            self._accepts = True
            metrics.SENT.labels(self._target.name).inc()
            await self._settlement.settle(parcel, sent)
            if refusal is not None:
                line.warning("notification refused, sent in plain words", reason=refusal.reason)
            line.info("notification sent")
            await self._settlement.note(parcel.notices, f"sent {self._clock()}")
        elif outcome.is_about_message and self._accepts:
            # One message in a row: if the next one is refused too, it is the target that is wrong.
            self._accepts = False
            await self._settlement.settle(parcel, sent)
            metrics.GIVEN_UP.labels(self._target.name, "refused").inc(len(parcel.notices))
            line.error("notification given up", reason="refused", answer=outcome.reason)
            await self._settlement.note(parcel.notices, f"given-up {self._clock()} refused")
        else:
            # Those that were under way together fail together, and once.
            self._failures = max(self._failures, min(self._failures, failures_before) + 1)
            await self._failed(parcel, outcome, line)

    async def _outcome_of(self, parcel: Parcel) -> tuple[SendOutcome, SendOutcome | None]:
        """Send the message, or a plainer one if the target refuses it; what came of it.

        The second outcome is the first refusal of the message as it was meant, if it was refused.
        """
        outcome = await self._target.deliver(self._message(parcel), message_id=parcel.id)
        refusal = outcome if outcome.is_about_message else None
        notices = [due.notice for due in parcel.notices]
        for max_text in _PLAINER:
            if not outcome.is_about_message:
                break
            await self._settlement.extend(parcel, until_ms=self._clock() + self._lease_ms)
            words = self._channel.templates.words(notices, self._target.room, max_text=max_text)
            outcome = await self._target.deliver(words, message_id=parcel.id)
        return outcome, refusal

    async def _failed(
        self, parcel: Parcel, outcome: SendOutcome, line: structlog.typing.FilteringBoundLogger
    ) -> None:
        """Leave the target alone for a while, and let others of its notices try it first then."""
        failures = self._failures
        if outcome.is_about_message:
            # It answers, and may accept the next one.
            failures = min(failures, _MAX_REFUSALS)
        else:
            self._accepts = False
        pause = pause_s(failures, outcome.retry_after_s)
        metrics.FAILED.labels(self._target.name).inc()
        pause_ms = round(pause * 1000)
        await self._settlement.pause(pause_ms)
        rest = partial(not_accepted, is_unsure=outcome.is_unsure)
        await self._settlement.settle(parcel, rest, due_ms=self._clock() + pause_ms)
        line.warning(
            "notification failed",
            reason=outcome.reason,
            failures=self._failures,
            retry_in_s=pause,
        )

    def _message(self, parcel: Parcel) -> TargetMessage:
        notices = [due.notice for due in parcel.notices]
        try:
            return self._channel.templates.message(notices, self._target.room)
        except Exception as error:  # noqa: BLE001 - a template may raise anything
            log.error(
                "template failed, the default one is used",
                target=self._target.name,
                event_id=notices[0].event_id,
                error=str(error),
            )
            return self._channel.templates.plain_message(notices, self._target.room)


def pause_s(failures: int, asked_for_s: float | None) -> float:
    """How long to leave a target alone after so many failures in a row, if it asked for nothing."""
    return _BACKOFF.delay_s(failures) if asked_for_s is None else asked_for_s
