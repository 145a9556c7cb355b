"""Makes room on a server that is short of memory: what is handled goes, what is not stays.

How long events stay is a wish, that none is lost a promise. So before new events have to wait,
the oldest that every group has handled go, whatever their age.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from msgspec import Struct
from redis.asyncio import Redis

from gateway.redis_access.server_memory import memory_by_server
from gateway.retention.episodes import Episodes
from gateway.retention.reporting import Telling
from gateway.retention.stream_access import StreamAccess, StreamKeys
from gateway.retention.stream_state import StreamState
from gateway.retention.trim_plan import TrimRules, early_plan_for, fillers

__all__ = ["KeptPartition", "Relief"]

log: Any = structlog.get_logger(__name__)

_MAX_CALLS: Final = 200
# Trims of a thousand entries that one look makes of a server at most: some 0.3 s of its time.


class KeptPartition(Struct, frozen=True, kw_only=True):
    """A partition of a stream that this process keeps, as it was at the look."""

    keys: StreamKeys
    telling: Telling
    state: StreamState
    now_ms: int


class Relief:
    """Relieves the servers that the kept streams are on; `client` is a control client."""

    def __init__(self, client: Redis, access: StreamAccess, rules: TrimRules) -> None:
        self._client = client
        self._access = access
        self._rules = rules
        self._episodes = Episodes()
        self._shortened: set[str] = set()

    async def is_wanted(self, keys: Sequence[str]) -> bool:
        """True if a server of these keys is short of memory, and trimming may help it.

        Raises one of connections.FAILURES.
        """
        if self._rules.early_from is None:
            return False
        servers = await memory_by_server(self._client, keys)
        return any(server.share >= self._rules.early_from for server in servers)

    async def relieve(self, kept: Sequence[KeptPartition]) -> None:
        """Trim on each server that is short of memory until it is not, or nothing may go.

        Raises one of connections.FAILURES; repeatable.
        """
        if not kept or self._rules.early_from is None:
            return
        for one in kept:
            self._tell_of_full_days(one)
        servers = await memory_by_server(self._client, [one.keys.stream for one in kept])
        for server in servers:
            streams = {kept[place].keys.stream: kept[place] for place in server.places}
            is_short = server.share >= self._rules.early_from
            self._tell_what_fills(streams, await self._trim_oldest(streams) if is_short else {})

    def _tell_what_fills(
        self, streams: Mapping[str, KeptPartition], left: Mapping[str, KeptPartition]
    ) -> None:
        """Tell once what is left on a server that is still short of memory; nothing: it is not."""
        found = {name: fillers(one.state, self._rules) for name, one in left.items()}
        for name, one in streams.items():
            groups = found.get(name, {})
            for group in sorted(self._episodes.begun(name, groups)):
                one.telling.fills(group, groups[group])
        others = {"others"} if left and not any(found.values()) else ()
        if self._episodes.begun(f"the server of {min(streams)}", others):
            log.warning(
                "redis is short of memory, and hardly any of it is events that wait",
                streams=sorted(streams),
                entries=sum(one.state.length for one in left.values()),
                what_to_do="see what else is in it: redis-cli --memkeys; docs/retention.md",
            )

    async def _trim_oldest(
        self, streams: Mapping[str, KeptPartition]
    ) -> Mapping[str, KeptPartition]:
        """Trim the oldest handled entries; the streams as they are then if that did not suffice."""
        left = dict(streams)
        may_go = dict(streams)
        for _ in range(_MAX_CALLS):
            plans = {name: early_plan_for(one.state, self._rules) for name, one in may_go.items()}
            name = min(
                (name for name, plan in plans.items() if plan.trim_to is not None),
                key=lambda name: may_go[name].state.begins_at,
                default=None,
            )
            if name is None:
                return left
            one = may_go[name]
            result = await self._access.trim(one.keys, plans[name], self._rules.non_holding)
            look = await self._access.look(one.keys)
            if look.state is None:
                return {}
            left[name] = may_go[name] = KeptPartition(
                keys=one.keys, telling=one.telling, state=look.state, now_ms=look.now_ms
            )
            if result is None or not result[0]:
                del may_go[name]  # the rest shares a node with what stays, or the plan is void
                continue
            one.telling.trimmed_early(*result)
            if one.keys.stream not in self._shortened:
                self._shortened.add(one.keys.stream)
                one.telling.shortened(look.state, now_ms=look.now_ms)
            (server,) = await memory_by_server(self._client, [name])
            if server.share < self._rules.early_to:
                return {}
        return {}

    def _tell_of_full_days(self, one: KeptPartition) -> None:
        is_whole = one.state.begins_at[0] <= one.now_ms - self._rules.keep_ms
        if is_whole and one.keys.stream in self._shortened:
            self._shortened.discard(one.keys.stream)
            one.telling.whole_again()
