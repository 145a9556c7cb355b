"""Remembers which alerts last, and tells each once when it begins and once when it is over.

    b24:alerts      hash: an alert's name -> JSON of LastingAlert

Told are events on the stream `events`, and the same on `comments`, if that is there: what operators
are told of the enricher must not wait for it. Their ids follow from the alert, so that one that is
told again, since an answer was lost or a process ended in between, is there once.
"""

from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import msgspec
import structlog
from msgspec import Struct, to_builtins
from msgspec.structs import replace
from redis.asyncio import Redis

from gateway.contract import EVENT_FIELD, OtherEvent, encode_event
from gateway.contract.alerts import ALERT_BEGAN, ALERT_ENDED, AlertData
from gateway.publishing.publish_once import OncePublisher
from gateway.settings import RedisSettings

__all__ = ["AlertBook", "LastingAlert"]

log: Any = structlog.get_logger(__name__)

_SOURCE: Final = "urn:bitrix24-event-gateway"


class LastingAlert(Struct, frozen=True, kw_only=True):
    """An alert as it began, and whether that was told."""

    data: AlertData
    is_told: bool = False


class AlertBook:
    """Keeps the alerts of one installation.

    `client` is a control client without decoding, `publisher` puts events on `events`.
    Everything may be repeated, and raises one of connections.FAILURES or StreamUnavailable.
    """

    def __init__(self, client: Redis, redis: RedisSettings, publisher: OncePublisher) -> None:
        self._client: Any = client
        self._streams = redis.streams
        self._key = f"{redis.prefix}:alerts"
        self._publisher = publisher

    async def lasting(self) -> dict[str, LastingAlert]:
        """Those that have begun and are not over, by their names."""
        fields = await self._client.hgetall(self._key)
        return {
            name.decode(): msgspec.json.decode(raw, type=LastingAlert)
            for name, raw in fields.items()
        }

    async def begin(self, name: str, data: AlertData) -> None:
        """An alert begins, unless it lasts already: then it is told if it was not."""
        raw = msgspec.json.encode(LastingAlert(data=data))
        known = data
        if not await self._client.hsetnx(self._key, name, raw):
            kept = await self._client.hget(self._key, name)
            known = msgspec.json.decode(kept, type=LastingAlert).data if kept else data
        await self._tell(ALERT_BEGAN, name, known, at=known.since)
        told = LastingAlert(data=known, is_told=True)
        await self._client.hset(self._key, name, msgspec.json.encode(told))
        log.warning("an alert began", **_about(known))

    async def end(self, name: str, lasting: LastingAlert, *, at: str) -> None:
        """It is over."""
        ended = replace(lasting.data, until=at)
        await self._tell(ALERT_ENDED, name, ended, at=at)
        await self._client.hdel(self._key, name)
        log.info("an alert is over", **_about(ended))

    async def _tell(self, kind: str, name: str, data: AlertData, *, at: str) -> None:
        about = f"{_SOURCE}:{self._key}:{name}:{data.since}:{kind}"
        event = OtherEvent(
            id=str(uuid5(NAMESPACE_URL, about)),
            source=_SOURCE,
            type=kind,
            subject=f"alert/{data.alert}",
            time=at,
            receivedat=at,
            data=to_builtins(data),
        )
        await self._publisher.publish_apart(event)
        comments = self._streams.key("comments", self._streams.in_force.start)
        await self._client.xadd(comments, {EVENT_FIELD: encode_event(event)}, nomkstream=True)


def _about(data: AlertData) -> dict[str, Any]:
    return {name: value for name, value in to_builtins(data).items() if value}
