"""Delivers events to one endpoint, and says what follows each answer.

What is permanent is not for a status to say: as others who push webhooks do, everything but 2xx is
tried again (docs/decisions/0022-pushing-events.md).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, Literal, NoReturn

import structlog

from consumers import Declined, Entry, Event, Transient
from consumers.relay import metrics
from consumers.relay.delivery_rate import DeliveryRate
from consumers.relay.endpoint_reporting import EndpointReporting
from consumers.relay.endpoint_standing import EndpointStanding
from gateway.retry_after import retry_after_s
from gateway.settings import RelaySettings
from gateway.webhooks.cloud_event_requests import message_of
from gateway.webhooks.push_endpoints import PushEndpoint
from gateway.webhooks.webhook_sender import NotAnswered, WebhookAnswer, WebhookSender

__all__ = ["EndpointDelivery"]

log = structlog.get_logger()

_GONE: Final = 410
_TOO_MANY: Final = 429
_HELD_S: Final = 10.0
"""For so long nothing is tried at an endpoint that is being paused: the pause is known by then."""

Pause = Callable[[str], Awaitable[None]]


class EndpointDelivery:
    """Pushes the events of one endpoint's group; `pause` lets its group wait for an operator."""

    def __init__(
        self,
        endpoint: PushEndpoint,
        relay: RelaySettings,
        *,
        sender: WebhookSender,
        reporting: EndpointReporting,
        pause: Pause,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._endpoint = endpoint
        self._relay = relay
        self._sender = sender
        self._reporting = reporting
        self._pause = pause
        self._clock = clock
        self._slots = asyncio.Semaphore(endpoint.settings.concurrency)
        self._rate = DeliveryRate(endpoint.settings.max_per_second)
        self._is_pausing_until = 0.0
        self.standing = EndpointStanding()
        name = endpoint.name
        self._delivered = metrics.ATTEMPTS.labels(name, "delivered")
        self._declined = metrics.ATTEMPTS.labels(name, "refused")
        self._failed = metrics.ATTEMPTS.labels(name, "failed")
        self._answer_seconds = metrics.ANSWER_SECONDS.labels(name)
        self._is_away = metrics.IS_AWAY.labels(name)
        self._paused = {reason: metrics.PAUSED.labels(name, reason) for reason in ("gone", "away")}

    async def push(self, event: Event, entry: Entry) -> None:
        """Send an event; returns when the endpoint has taken it.

        Raises Transient while the endpoint takes nothing, and Declined if it does not take this
        event while it takes others.
        """
        endpoint, answer = self._endpoint, None
        async with self._slots:
            if wait_s := self._rate.wait_s(time.monotonic()):
                await asyncio.sleep(wait_s)
            try:
                answer = await self._sender.send(
                    endpoint,
                    message_of(entry.raw, endpoint.settings.mode),
                    message_id=event.id,
                    is_replay=entry.is_replay,
                )
            except NotAnswered as failure:
                failed = failure
            else:
                self._answer_seconds.observe(answer.took_s)
                if answer.is_success:
                    self._succeed(event, answer)
                    return
                failed = NotAnswered(f"it answered {answer.status}", is_sent=True)
        await self._fail(event, answer, failed.reason, is_for_all=not failed.is_sent)

    def _succeed(self, event: Event, answer: WebhookAnswer) -> None:
        self._delivered.inc()
        away_s = self.standing.delivered(event.id, self._clock())
        if away_s is not None:
            self._is_away.set(0)
            log.info(
                "endpoint takes events again",
                endpoint=self._endpoint.name,
                after_s=round(away_s, 1),
            )
        self._note(answer, "")

    async def _fail(
        self, event: Event, answer: WebhookAnswer | None, error: str, *, is_for_all: bool
    ) -> NoReturn:
        asked_s = self._asked_s(answer)
        if answer is not None and answer.status == _GONE:
            await self._pause_endpoint("gone", "it answered 410 Gone")
            self._note(answer, error)
            raise Transient(error, retry_after_s=_HELD_S, for_all=True, is_told=True)
        is_for_all = is_for_all or asked_s is not None
        is_for_all = is_for_all or (answer is not None and answer.status == _TOO_MANY)
        now = self._clock()
        if not is_for_all and self.standing.blames(event.id, now) == "event":
            self._note(answer, error)
            self._declined.inc()
            raise Declined(f"{error}, while it took others")
        self._failed.inc()
        if self.standing.failed(now, for_all=is_for_all):
            self._is_away.set(1)
            log.warning("endpoint takes no events", endpoint=self._endpoint.name, error=error)
        self._note(answer, error)
        since = self.standing.failing_since
        if since is not None and now - since >= self._relay.pause_after_s:
            days = (now - since) / 86_400
            await self._pause_endpoint("away", f"it took nothing for {days:.1f} days: {error}")
            raise Transient(error, retry_after_s=_HELD_S, for_all=True, is_told=True)
        raise Transient(error, retry_after_s=asked_s, for_all=is_for_all, is_told=True)

    def _asked_s(self, answer: WebhookAnswer | None) -> float | None:
        if answer is None:
            return None
        return retry_after_s(
            answer.retry_after, now=datetime.now(UTC), most_s=self._relay.max_retry_after_s
        )

    async def _pause_endpoint(self, reason: Literal["gone", "away"], why: str) -> None:
        """Pause the group; deliveries that were under way beside this one find it done."""
        now = time.monotonic()
        if now < self._is_pausing_until:
            return
        self._is_pausing_until = now + _HELD_S
        self._paused[reason].inc()
        self.standing.begin_anew()
        self._is_away.set(0)
        await self._pause(why)

    def _note(self, answer: WebhookAnswer | None, error: str) -> None:
        status, took_s = (None, None) if answer is None else (answer.status, answer.took_s)
        standing = self.standing
        attempted = (
            self._clock(),
            *(status, took_s, error),
            *(standing.delivered_at, standing.failing_since),
        )
        self._reporting.note(self._endpoint.name, attempted)
