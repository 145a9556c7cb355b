"""Looks at everything of an installation at once, within two seconds, whatever answers."""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self, TypeVar

from msgspec import Struct

from gateway.background import owned
from gateway.balance.sheet import Balance
from gateway.contract import PortalData, timestamps
from gateway.drill_record import DrillRecord, last_drill
from gateway.ending import end
from gateway.heartbeats.process_list import ListedProcess, processes, without_followed
from gateway.ops.group_standings import GroupStanding, standings
from gateway.ops.partition_standing import PartitionStanding, partition_standing
from gateway.partitioning.partition_record import adopt_record
from gateway.portal_health.troubled_portals import troubles_of_portals
from gateway.portals.current_portals import CurrentPortals
from gateway.redis_access import connections
from gateway.redis_access.redis_faults import FAILURES, predicate
from gateway.redis_access.redis_url import RedisAddress
from gateway.settings import Settings
from gateway.status.admin_addresses import ProbedProcess, addresses_in
from gateway.status.group_summary import GroupSummary, summaries
from gateway.status.machine_balance import balance_now
from gateway.status.machine_spool import SpoolStanding, spool_here, standing_of_spool
from gateway.status.server_standing import ServerStanding, server_standings

__all__ = ["InstallationStatus", "StatusObserver"]

T = TypeVar("T")

_REACHED_S: Final = 0.8
"""Within this time Redis answers, or is away."""
_AT_ONCE_S: Final = 0.2
"""Who has not answered by then may be away, and others are asked meanwhile."""
_ANSWERED_S: Final = 1.5
_APART_S: Final = 0.5
# Between two looks at the groups, if nobody has looked before.
_WORTH_A_TREND_S: Final = 2.0


class InstallationStatus(Struct, frozen=True, kw_only=True):
    """What was seen. What could not be asked is None, and `unknown` says why, by its name.

    `redis` is where it is, without secrets; `redis_why_not` is why it does not answer. `portals`
    are those in trouble. `drill` is the last one; None, too, where this user may not ask. `probes`
    were asked only while Redis was away.
    """

    at: str
    redis: str
    redis_why_not: str | None = None
    servers: list[ServerStanding] | None = None
    groups: list[GroupSummary] | None = None
    partitions: PartitionStanding | None = None
    processes: list[ListedProcess] | None = None
    spools: list[SpoolStanding]
    portals: list[PortalData] | None = None
    balance: Balance | None = None
    drill: DrillRecord | None = None
    probes: list[ProbedProcess] = []
    unknown: dict[str, str] = {}


class StatusObserver:
    """Looks at an installation, once or again and again; an asynchronous context."""

    def __init__(
        self, settings: Settings, portals: CurrentPortals | None = None, *, looks_twice: bool = True
    ) -> None:
        """`portals` are shared with whoever else asks which there are.

        With `looks_twice` the first look has a trend, too, half a second later.
        """
        self._looks_twice = looks_twice
        self._settings = settings
        self._portals = portals or CurrentPortals(settings)
        self._redis = connections.control(settings.redis.url, timeout_s=_REACHED_S)
        self._groups: list[GroupStanding] = []
        self._looked_at = 0.0
        self._admins: dict[str, str] = addresses_in(settings)
        self._unknown: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._redis.aclose()

    async def look(self) -> InstallationStatus:
        """How it is now. Groups have a trend since the last look."""
        self._unknown = {}
        where = str(RedisAddress.of(self._settings.redis.url))
        here = await asyncio.to_thread(spool_here, self._settings.spool)
        why_not, probes = await self._reached()
        if why_not is not None:
            return InstallationStatus(
                at=timestamps.seconds(time.time()),
                redis=where,
                redis_why_not=why_not,
                spools=[] if here is None else [here],
                probes=probes,
            )
        settings, prefix = self._settings, self._settings.redis.prefix
        with suppress(*FAILURES):  # what is not answered is told by those who ask
            await adopt_record(self._redis, settings.redis.streams)
        partitions = await self._part(
            "partitions", partition_standing(self._redis, settings.redis.streams)
        )
        servers, groups, found, portals, balance, (drill, _) = await asyncio.gather(
            self._part("servers", server_standings(self._redis)),
            self._part("groups", self._look_at_groups()),
            self._part("processes", processes(self._redis, prefix=prefix)),
            self._part("portals", self._look_at_portals()),
            self._part("balance", balance_now(self._redis, settings)),
            self._asked(last_drill(self._redis, prefix), _ANSWERED_S),
        )
        if found is not None:
            self._admins |= {
                f"{one.report.group or one.report.role}": one.report.admin
                for one in found
                if one.report.admin and not one.is_silent
            }
        return InstallationStatus(
            at=timestamps.seconds(time.time()),
            redis=where,
            servers=servers,
            groups=groups,
            partitions=partitions,
            processes=None if found is None else without_followed(found),
            spools=_spools(found or (), here),
            portals=portals,
            balance=balance,
            drill=drill,
            unknown=self._unknown,
        )

    async def _reached(self) -> tuple[str | None, list[ProbedProcess]]:
        """Why Redis does not answer, if so, and then what processes of this machine say."""
        reaching = owned(self._asked(self._redis.ping(), _REACHED_S))
        await asyncio.wait([reaching], timeout=_AT_ONCE_S)
        if reaching.done() and reaching.result()[1] is None:
            return None, []
        probing = owned(self._probed())
        _, why_not = await reaching
        if why_not is None:
            await end(probing)
            return None, []
        return why_not, await probing

    async def _probed(self) -> list[ProbedProcess]:
        # What asks over HTTP is imported by those who need it.
        from gateway.status.admin_probing import probe  # noqa: PLC0415

        return await probe(self._admins.items())

    async def _look_at_groups(self) -> list[GroupSummary]:
        streams = self._settings.redis.streams
        before, since = self._groups, self._looked_at
        seen, at = await standings(self._redis, streams), time.monotonic()
        is_behind = any(
            max(one.oldest_pending_s, one.oldest_waiting_s) > _WORTH_A_TREND_S for one in seen
        )
        if not before and is_behind and self._looks_twice:
            before, since = seen, at
            await asyncio.sleep(_APART_S)
            seen, at = await standings(self._redis, streams), time.monotonic()
        self._groups, self._looked_at = seen, at
        return summaries(seen, before, apart_s=at - since)

    async def _look_at_portals(self) -> list[PortalData]:
        known = await self._portals.read(self._redis)
        member_ids = (portal.member_id for portal in known)
        prefix = self._settings.redis.prefix
        return await troubles_of_portals(self._redis, member_ids, prefix=prefix)

    async def _part(self, name: str, asking: Awaitable[T]) -> T | None:
        """What was answered; None, and why in `unknown`."""
        answer, why_not = await self._asked(asking, _ANSWERED_S)
        if why_not is not None:
            self._unknown[name] = why_not
        return answer

    async def _asked(self, asking: Awaitable[T], within_s: float) -> tuple[T | None, str | None]:
        """What was answered, or why there is no answer."""
        try:
            async with asyncio.timeout(within_s):
                return await asking, None
        except TimeoutError:
            return None, f"does not answer within {within_s} s"
        except FAILURES as error:
            return None, " ".join(predicate(error).split())


def _spools(found: Sequence[ListedProcess], here: SpoolStanding | None) -> list[SpoolStanding]:
    """Each spool as it was told of last; this machine's as it is."""
    spools: dict[str, SpoolStanding] = {}
    for one in found:
        state = one.report.spool
        if state is not None and (state.id not in spools or one.heard_s < spools[state.id].told_s):
            spools[state.id] = standing_of_spool(
                state, host=one.report.host, told_s=one.heard_s, now=time.time()
            )
    if here is not None:
        spools[here.state.id] = here
    return sorted(spools.values(), key=lambda one: (one.host, one.state.directory))
