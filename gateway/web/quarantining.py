"""Puts deliveries with a wrong token into the quarantine, behind the back of the request.

The answer is on its way before anything here happens. What an attacker can make it cost is
bounded: a hundred deliveries a second, which is about two per cent of a core, and 200 waiting
bodies of 8 KiB for each registered portal, of 16 MiB for all. What does not get through is counted.
"""

import asyncio
from collections import Counter, deque
from contextlib import suppress
from time import time_ns
from typing import Any, Final

import msgspec
import structlog

from gateway import metrics
from gateway.background import Background
from gateway.inbound.admission import Admission, Admitted
from gateway.inbound.delivery import Delivery
from gateway.inbound.errors import Malformed
from gateway.inbound.form import FormError
from gateway.inbound.form_fields import extract
from gateway.portals.application_tokens import digest_of
from gateway.portals.quarantine import Quarantine, Sealed, Verdict, sealed
from gateway.redis_access import connections
from gateway.vault.encryption import Vault

__all__ = ["Quarantining"]

log: Any = structlog.get_logger(__name__)

_ROUND: Final = 100
_REST_S: Final = 1.0
_MAX_WAITING: Final = 200
_MAX_WAITING_BYTES: Final = 16_777_216
_MAX_BODY_BYTES: Final = 8192
# Most events have less than one of these KiB; a message to a bot has three, and what it says.
_FULL: Final[tuple[Verdict, ...]] = ("full", "token_full", "total_full", "no_memory")
_CLOSE_S: Final = 2.0
_MEASURE_S: Final = 30.0
# What is kept becomes less by itself, by commands of operators, and by other receivers.


class Quarantining:
    """Keeps a bounded queue for each portal, and empties them in turn, on a task of its own."""

    def __init__(self, quarantine: Quarantine, vault: Vault, admission: Admission) -> None:
        self._quarantine = quarantine
        self._vault = vault
        self._admission = admission
        self._waiting: dict[str, deque[Delivery]] = {}
        self._waiting_bytes = 0
        self._has_work = asyncio.Event()
        self._is_closing = asyncio.Event()
        self._is_full = False
        # None of these deliveries was accepted; what was taken in hand is lost.
        self._keeping = Background(self._run, name="quarantine", begins_anew=True)

    def offer(self, delivery: Delivery) -> None:
        """Keep a delivery of a registered portal, if that can be done. Neither waits nor raises."""
        waiting = self._waiting.get(delivery.member_id, ())
        if len(delivery.body) > _MAX_BODY_BYTES:
            metrics.QUARANTINED.labels("too_large").inc()
        elif len(waiting) >= _MAX_WAITING or self._waiting_bytes >= _MAX_WAITING_BYTES:
            metrics.QUARANTINED.labels("busy").inc()
        else:
            self._waiting_bytes += len(delivery.body)
            self._waiting.setdefault(delivery.member_id, deque()).append(delivery)
            self._has_work.set()

    def start(self) -> None:
        """Start keeping what is offered."""
        self._keeping.start()

    async def close(self) -> None:
        """Keep what was offered, for two seconds at most, and end."""
        self._is_closing.set()
        self._has_work.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._keeping.finish()
                while deliveries := self._taken():
                    await self._keep(deliveries)
        if left := sum(map(len, self._waiting.values())):
            metrics.QUARANTINED.labels("away").inc(left)

    async def _run(self) -> None:
        await self._measure()
        while not self._is_closing.is_set():
            if deliveries := self._taken():
                await self._keep(deliveries)
                with suppress(TimeoutError):
                    async with asyncio.timeout(_REST_S):
                        await self._is_closing.wait()
            else:
                self._has_work.clear()
                try:
                    async with asyncio.timeout(_MEASURE_S):
                        await self._has_work.wait()
                except TimeoutError:
                    await self._measure()

    async def _measure(self) -> None:
        """Show how much is kept now, if Redis says so."""
        with suppress(*connections.FAILURES):
            now_ms = time_ns() // 1_000_000
            metrics.QUARANTINE_BYTES.set(await self._quarantine.bytes(now_ms=now_ms))

    def _taken(self) -> list[Delivery]:
        """The oldest of each portal, in turn: no portal's flood keeps another one's waiting."""
        taken: list[Delivery] = []
        while self._waiting and len(taken) < _ROUND:
            member_id = next(iter(self._waiting))
            waiting = self._waiting.pop(member_id)
            taken.append(waiting.popleft())
            self._waiting_bytes -= len(taken[-1].body)
            if waiting:
                self._waiting[member_id] = waiting
        return taken

    async def _keep(self, deliveries: list[Delivery]) -> None:
        results: Counter[str] = Counter()
        to_keep: list[Sealed] = []
        for delivery in deliveries:
            digest = self._digest_in(delivery)
            if digest is None:
                results["no_event"] += 1
            else:
                to_keep.append(sealed(delivery, digest, self._vault))
            await asyncio.sleep(0)  # live deliveries go between
        if to_keep:
            try:
                now_ms = time_ns() // 1_000_000
                results.update(await self._quarantine.keep(to_keep, now_ms=now_ms))
                metrics.QUARANTINE_BYTES.set(await self._quarantine.bytes(now_ms=now_ms))
            except connections.FAILURES as error:
                results["away"] += len(to_keep)
                log.warning("the quarantine takes nothing", error=repr(error))
        for result, count in results.items():
            metrics.QUARANTINED.labels(result).inc(count)
        self._tell_if_full(results)
        log.warning(
            "deliveries with a wrong token", portals=_portals_of(deliveries), results=dict(results)
        )

    def _tell_if_full(self, results: Counter[str]) -> None:
        """Once, until something is kept again."""
        full = {result: results[result] for result in _FULL if results[result]}
        if full and not self._is_full:
            log.error(
                "the quarantine is full: deliveries with a wrong token are lost",
                results=full,
                what_to_do="gateway portals quarantine list; docs/portals.md",
            )
        self._is_full = bool(full)

    def _digest_in(self, delivery: Delivery) -> bytes | None:
        """The digest of the token, if the delivery would be an event were the token right."""
        portal = self._admission.portals.find(delivery.member_id)
        if portal is None:
            return None
        try:
            # Nobody knows yet who sent it: nothing but the fields above is read of it.
            fields = msgspec.structs.replace(extract(delivery.body), body=b"")
            verdict = self._admission.normalise(
                fields,
                portal,
                receipt_id=delivery.receipt_id,
                received_ms=delivery.received_ms,
            )
        except (FormError, Malformed):
            return None
        is_event = isinstance(verdict, Admitted) and fields.application_token
        return digest_of(fields.application_token or "") if is_event else None


def _portals_of(deliveries: list[Delivery]) -> list[str]:
    return sorted({delivery.member_id for delivery in deliveries})
