"""Runs a drill: one fault after another, under a steady load, and says what each came to."""

import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, ValidationError
from redis.asyncio import Redis

import gateway
from gateway.contract import EVENT_FIELD, EntryId
from gateway.drill.drill_faults import FAULTS, DrillFault
from gateway.drill.drill_keys import drill_prefix, new_drill_id
from gateway.drill.drill_settings import DrillPlace, url_through
from gateway.drill.fault_ledger import StoredEvent, stored_event
from gateway.drill.fault_verdict import Found, TriedFault, outcome_of, spans_of
from gateway.drill.holding import clean, held, kept_clean
from gateway.drill.lossy_proxy import LossyProxy
from gateway.drill.prerequisites import (
    assure_rights,
    assure_room_in_redis,
    assure_room_on_disk,
)
from gateway.drill.rig import CannotDrill, Rig
from gateway.drill.waiting import NotInTime
from gateway.drill_record import DrillRecord, FaultOutcome
from gateway.local.redis_server import free_port
from gateway.ops.answer_times import answering
from gateway.redis_access.bare_connections import open_bare
from gateway.redis_access.redis_url import RedisAddress
from gateway.secret_references import resolve_secret
from gateway.settings import Settings

__all__ = ["DrillPlan", "DrillReport", "clean_up", "run_drill"]

_PAGE: Final = 1000
_PAST_PROXIES: Final = "the processes find the nodes of a cluster by themselves, past any proxy"
_NOT_WELL: Final = "all was not well after the fault before it"


class DrillPlan(Struct, frozen=True, kw_only=True):
    """Which faults are tried, each for how many seconds, under how many events a second."""

    faults: Sequence[str]
    seconds: float
    rate: float


class DrillReport(Struct, frozen=True, kw_only=True):
    """The record of a drill, and if it went wrong what its processes have said last."""

    record: DrillRecord
    said_last: Sequence[str]


async def run_drill(
    settings: Settings, plan: DrillPlan, *, say: Callable[[str], None]
) -> DrillReport:
    """Try each fault of the plan, and say what it came to; `say` is told how far it is.

    Touches nothing of the installation but Redis, under keys of its own, which are gone at the
    end, and the disk of the spool, in a directory of its own. Safe to cancel. Raises CannotDrill,
    and one of connections.FAILURES if Redis is out of reach.
    """
    began = time.monotonic()
    spool, prefix = Path(settings.spool.dir), settings.redis.prefix
    assure_room_on_disk(spool)
    drill_id = new_drill_id()
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(answering(settings.redis))
        await assure_rights(redis, settings)
        await assure_room_in_redis(redis, settings)
        await stack.enter_async_context(held(redis, prefix))
        directory = await stack.enter_async_context(
            kept_clean(redis, prefix, spool, drill_id, say=say)
        )
        url, proxy = await _way(stack, settings)
        if proxy is None and all(FAULTS[name].needs_proxy for name in plan.faults):
            raise CannotDrill(f"{', '.join(plan.faults)} cannot be tried here: {_PAST_PROXIES}")
        place = DrillPlace(
            redis_url=url,
            prefix=drill_prefix(prefix, drill_id),
            directory=directory,
            port=free_port(),
            admin_port=free_port(),
        )
        rig = Rig(settings, place, redis, proxy=proxy, rate=plan.rate)
        outcomes = await _tried(rig, redis, plan, say)
    return DrillReport(
        record=DrillRecord(
            id=drill_id,
            at=datetime.now(UTC),
            version=gateway.__version__,
            host=socket.gethostname(),
            redis=str(RedisAddress.of(settings.redis.url)),
            took_s=round(time.monotonic() - began, 1),
            rate=plan.rate,
            is_whole=set(plan.faults) == FAULTS.keys(),
            outcomes=tuple(outcomes),
        ),
        said_last=rig.said_last(),
    )


async def clean_up(settings: Settings) -> int:
    """Remove what killed drills have left; how many keys that was. Raises as `run_drill`."""
    prefix = settings.redis.prefix
    async with answering(settings.redis) as redis, held(redis, prefix):
        return await clean(redis, prefix, Path(settings.spool.dir))


async def _way(stack: AsyncExitStack, settings: Settings) -> tuple[str, LossyProxy | None]:
    """The address by which the processes reach Redis, and the proxy on it, if there can be one."""
    address = RedisAddress.of(settings.redis.url)
    if address.kind == "cluster":
        return resolve_secret(settings.redis.url, name="[redis] url"), None
    proxy = await stack.enter_async_context(LossyProxy(partial(open_bare, address)))
    return url_through(address, proxy.url), proxy


async def _tried(
    rig: Rig, redis: Redis, plan: DrillPlan, say: Callable[[str], None]
) -> list[FaultOutcome]:
    tried: list[TriedFault] = []
    not_tried: dict[str, str] = {}
    say("the receiver and two consumers start")
    async with rig:
        async with rig.load:
            await _until_well_at_first(rig)
            why_not_now: str | None = None
            for fault in (FAULTS[name] for name in plan.faults):
                why_not = _PAST_PROXIES if fault.needs_proxy and not rig.proxy else why_not_now
                if why_not is not None:
                    not_tried[fault.name] = why_not
                    continue
                say(f"{fault.name}: {fault.what}")
                failed, is_well = await _harmed(rig, fault, plan.seconds)
                tried.append(TriedFault(fault, time.monotonic(), failed))
                why_not_now = None if is_well else _NOT_WELL
        with suppress(NotInTime):  # what is missing then is counted
            await rig.until_drained()
            await rig.until_handled()
    found = await _found(rig, redis)
    spans = spans_of(tried, rig.load.deliveries)
    outcomes = {span.fault.name: outcome_of(span, found) for span in spans}
    return [
        outcomes.get(name) or FaultOutcome(fault=name, not_tried=not_tried[name])
        for name in plan.faults
    ]


async def _until_well_at_first(rig: Rig) -> None:
    try:
        await rig.until_well()
    except NotInTime as error:
        raise CannotDrill("\n".join([f"before any fault, {error}", *rig.said_last()])) from error


async def _harmed(rig: Rig, fault: DrillFault, seconds: float) -> tuple[str | None, bool]:
    """Do the fault and put all right again: what has not come about, and if all is well after."""
    failed: str | None = None
    try:
        await fault.harm(rig, seconds)
    except NotInTime as error:
        failed = str(error)
    try:
        await rig.put_right()
        await rig.until_well()
    except NotInTime as error:
        return failed or str(error), False
    return failed, True


async def _found(rig: Rig, redis: Redis) -> Found:
    return Found(
        streams=[[one async for one in _events(redis, key)] for key in rig.streams.keys("events")],
        effects=rig.effects.effects(),
        told=rig.effects.told(),
    )


async def _events(redis: Redis, key: str) -> AsyncIterator[StoredEvent]:
    """What is on a stream, in its order, but for the gateway's own events."""
    start = str(EntryId(0))
    while True:
        page: Any = await redis.xrange(key, min=start, count=_PAGE)
        for _, fields in page:
            with suppress(ValidationError):
                yield stored_event(fields[EVENT_FIELD])
        if len(page) < _PAGE:
            return
        start = str(EntryId.of(page[-1][0]).next)
