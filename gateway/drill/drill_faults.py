"""Lists the faults of a drill: what each does to the rig, and what it excuses."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from gateway.drill.lossy_proxy import LossyProxy
from gateway.drill.rig import Rig
from gateway.drill.waiting import until

__all__ = ["FAULTS", "DrillFault"]

_SPOOLS_S: Final = 30.0
_FULL_S: Final = 120.0
_AT_WORK_S: Final = 30.0
_LOST_S: Final = 30.0
_REPLIES_A_SECOND: Final = 2
_QUOTA_BYTES: Final = 96 << 10
"""Of a spool that is soon full: at the usual rate within some seconds."""


class DrillFault(Struct, frozen=True, kw_only=True):
    """A fault, which `harm` does to a rig for so many seconds; it raises NotInTime if what the
    gateway is for does not come about. What remains is put right by whoever called it.

    One that `needs_proxy` cannot be tried where there is none. What else is a failure it may
    excuse: requests refused, or without an answer, or events of a subject in another order.
    """

    name: str
    what: str
    harm: Callable[[Rig, float], Awaitable[None]]
    needs_proxy: bool = False
    excuses_refused: bool = False
    excuses_unanswered: bool = False
    excuses_disorder: bool = False


async def _cut_redis_off(rig: Rig, seconds: float) -> None:
    proxy = _proxy_of(rig)
    proxy.cut()
    await rig.load.until_answered_from("spool", timeout_s=_SPOOLS_S)
    await asyncio.sleep(seconds)


async def _hang_redis(rig: Rig, seconds: float) -> None:
    proxy = _proxy_of(rig)
    proxy.hold()
    await rig.load.until_answered_from("spool", timeout_s=_SPOOLS_S)
    await asyncio.sleep(seconds)


async def _lose_replies(rig: Rig, seconds: float) -> None:
    proxy = _proxy_of(rig)
    for _ in range(max(1, round(seconds * _REPLIES_A_SECOND))):
        proxy.lose_replies(1)
        await proxy.until_lost(timeout_s=_LOST_S)
        await asyncio.sleep(1 / _REPLIES_A_SECOND)


async def _kill_the_receiver(rig: Rig, seconds: float) -> None:
    """While it publishes, and where Redis can be taken away, also with events in its spool."""
    await rig.receiver.kill()
    await rig.receiver.start()
    await rig.load.until_answered_from("stream", timeout_s=_SPOOLS_S)
    if rig.proxy is not None:
        rig.proxy.cut()
        await rig.load.until_answered_from("spool", timeout_s=_SPOOLS_S)
        await asyncio.sleep(seconds)
        await rig.receiver.kill()
        await rig.receiver.start()
        await rig.load.until_answered_from("spool", timeout_s=_SPOOLS_S)


async def _kill_a_consumer(rig: Rig, seconds: float) -> None:
    """At work, so that the other one takes over what it had in hand."""

    async def has_work() -> bool:
        return await rig.in_hand() > 0

    await until(has_work, timeout_s=_AT_WORK_S, what="a consumer has something in hand")
    await (await rig.at_work()).kill()
    await rig.until_handled()
    await asyncio.sleep(seconds)


async def _fill_the_spool(rig: Rig, seconds: float) -> None:
    proxy = _proxy_of(rig)
    await rig.restart_receiver(max_bytes=_QUOTA_BYTES)
    await rig.load.until_answered_from("stream", timeout_s=_SPOOLS_S)
    proxy.cut()
    await rig.load.until_refused(timeout_s=_FULL_S)
    await asyncio.sleep(seconds)
    proxy.mend()
    await rig.load.until_answered_from("stream", timeout_s=_SPOOLS_S)
    await rig.until_drained()


def _proxy_of(rig: Rig) -> LossyProxy:
    assert rig.proxy is not None  # noqa: S101 - a fault that needs one is not tried without
    return rig.proxy


FAULTS: Final[dict[str, DrillFault]] = {
    one.name: one
    for one in (
        DrillFault(
            name="redis-away",
            what="Redis cannot be reached: events wait in the spool",
            harm=_cut_redis_off,
            needs_proxy=True,
        ),
        DrillFault(
            name="redis-hangs",
            what="Redis is reached and says nothing, and goes on later with what it was sent",
            harm=_hang_redis,
            needs_proxy=True,
        ),
        DrillFault(
            name="replies-lost",
            what="Redis carries out what it is told, and nobody hears of it",
            harm=_lose_replies,
            needs_proxy=True,
        ),
        DrillFault(
            name="receiver-killed",
            what="the receiver is killed, also with events in its spool",
            harm=_kill_the_receiver,
            excuses_unanswered=True,
        ),
        DrillFault(
            name="consumer-killed",
            what="a consumer is killed with events in hand",
            harm=_kill_a_consumer,
        ),
        DrillFault(
            name="spool-full",
            what="the spool reaches its limit while Redis is away: 503, and nothing is lost",
            harm=_fill_the_spool,
            needs_proxy=True,
            excuses_refused=True,
            excuses_unanswered=True,
            excuses_disorder=True,
        ),
    )
}
"""By name, in the order in which they are tried."""
