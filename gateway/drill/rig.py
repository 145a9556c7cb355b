"""Puts together what a drill harms: processes, the way to Redis, a load and a sink for its events.

Nothing here is the installation's but Redis itself, in which everything is under the drill's
prefix, and which is never harmed.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from redis.asyncio import Redis

from gateway.contract import EntryId, Streams
from gateway.drill.delivery_load import DeliveryLoad
from gateway.drill.drill_process import DrillProcess
from gateway.drill.drill_settings import DrillPlace, drill_settings, inherited, variables_of
from gateway.drill.effect_store import EffectStore
from gateway.drill.lossy_proxy import LossyProxy
from gateway.drill.waiting import NotInTime, until
from gateway.errors import OperatorError
from gateway.local.ports import is_taken
from gateway.processes.exec_launcher import ExecLauncher
from gateway.redis_access.stream_information import group_names, group_rows, stream_information
from gateway.settings import Settings, SpoolSettings
from gateway.status.machine_spool import spool_here

__all__ = ["CannotDrill", "Rig"]

_GROUP: Final = "drill"
_SINK: Final = "consumers.drill.drill_sink:app"
_SENDERS: Final = 10
_BUSY: Final = 0.25
# Each sender is one subject, whose events are handled one after the other, for a quarter of the
# time: so some are nearly always in hand, for a kill to hit, and yet none pile up.
_ANSWER_S: Final = 20.0
_START_S: Final = 60.0
_RECOVERY_S: Final = 60.0


class CannotDrill(OperatorError):
    """The drill cannot begin, or cannot go on: what there is to mend is no fault of its own."""


class Rig:
    """What a drill harms. While it is entered, its processes run; `load` is whoever's to enter.

    `proxy` is None where processes find the servers by themselves, past any proxy. `redis` leads
    to the server itself.
    """

    def __init__(
        self,
        installation: Settings,
        place: DrillPlace,
        redis: Redis,
        *,
        proxy: LossyProxy | None,
        rate: float,
    ) -> None:
        self.proxy = proxy
        self.effects = EffectStore(place.directory)
        self._installation = installation
        self._place = place
        self._redis = redis
        self._has_quota = False
        settings = drill_settings(installation, place)
        self.streams: Streams = settings.redis.streams
        self.lease_s = settings.consumers.lease_s
        self.load = DeliveryLoad(
            [place.port],
            rate=rate,
            senders=_SENDERS,
            answer_s=max(_ANSWER_S, 4 * settings.publish.deadline_s),
        )
        config = place.directory / "gateway.toml"
        launcher = ExecLauncher(inherits=inherited(os.environ))
        of_sink = {
            "DRILL_EFFECTS": str(place.directory),
            "DRILL_TAKES_S": str(_BUSY * _SENDERS / rate),
        }
        variables = variables_of(settings)
        self.receiver = DrillProcess(
            "the receiver", _ours(config, "gateway", "serve"), variables, launcher
        )
        self.consumers = [
            DrillProcess(
                f"consumer {number}",
                _ours(config, "consumers", "run", _SINK),
                variables | of_sink,
                launcher,
            )
            for number in (1, 2)
        ]

    @property
    def processes(self) -> list[DrillProcess]:
        """All of its processes."""
        return [self.receiver, *self.consumers]

    async def __aenter__(self) -> Self:
        self._place.directory.joinpath("gateway.toml").touch()
        await asyncio.to_thread(self.effects.prepare)
        try:
            # The consumers first: a group may begin with what comes after it.
            for one in self.consumers:
                await one.start()
            await self._started(self._has_groups, self.consumers)
            await self.receiver.start()
            await self._started(self._listens, [self.receiver])
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._end()

    async def _end(self) -> None:
        await asyncio.gather(*(one.kill() for one in self.processes))

    async def until_well(self) -> None:
        """Wait until all is as before: answered from the stream, nothing in the spool, all that is
        on the stream by now handled. Raises NotInTime.
        """
        await self.load.until_answered_from("stream", timeout_s=_RECOVERY_S)
        await self.until_drained()
        await self.until_handled()

    async def until_drained(self) -> None:
        """Wait until nothing waits in the spool; raises NotInTime."""

        async def is_empty() -> bool:
            return await self.spooled() == 0

        await until(is_empty, timeout_s=_RECOVERY_S, what="the spool is drained")

    async def until_handled(self) -> None:
        """Wait until what is on the stream by now is handled, by whomever; raises NotInTime."""
        last: dict[str, EntryId] = {}
        for key in self.streams.keys("events"):
            if (about := await stream_information(self._redis, key)) is not None:
                last[key] = EntryId.of(about["last-generated-id"])

        async def is_handled() -> bool:
            return all([await self._is_through(key, upto) for key, upto in last.items()])

        timeout_s = _RECOVERY_S + 2 * self.lease_s
        await until(is_handled, timeout_s=timeout_s, what="all that is stored is handled")

    async def put_right(self) -> None:
        """Take every harm away, and start what has ended: then all should be well after a while."""
        if self.proxy is not None:
            self.proxy.mend()
        if self._has_quota:
            await self.restart_receiver()
        for one in self.processes:
            if not one.is_running:
                await one.start()

    async def restart_receiver(self, *, max_bytes: int | None = None) -> None:
        """Stop the receiver as a supervisor does, and start it, with this bound of its spool."""
        self._has_quota = max_bytes is not None
        await self.receiver.stop()
        settings = drill_settings(self._installation, self._place, max_bytes=max_bytes)
        await self.receiver.start(variables_of(settings))

    async def spooled(self) -> int:
        """How many events wait in the spool."""
        spool = SpoolSettings(dir=str(self._place.spool))
        standing = await asyncio.to_thread(spool_here, spool)
        return 0 if standing is None else standing.state.events

    async def in_hand(self) -> int:
        """How many events its consumers have, and are not through with."""
        keys = self.streams.keys("events")
        return sum([(await self._pending(key))["pending"] for key in keys])

    async def at_work(self) -> DrillProcess:
        """The consumer that has stored the last effect; the first if none has stored any."""
        effects = await asyncio.to_thread(self.effects.effects)
        last = effects[-1].pid if effects else None
        return next((one for one in self.consumers if one.pid == last), self.consumers[0])

    def said_last(self, processes: Sequence[DrillProcess] | None = None) -> list[str]:
        """What processes have said last, each line under their name."""
        return [
            f"{one.name}: {line}" for one in processes or self.processes for line in one.last_words
        ]

    async def _started(
        self, look: Callable[[], Awaitable[bool]], processes: Sequence[DrillProcess]
    ) -> None:
        """Wait until `look` says so; raises CannotDrill if one of the processes ends instead."""

        async def is_there_or_ended() -> bool:
            return await look() or not all(one.is_running for one in processes)

        names = ", ".join(one.name for one in processes)
        try:
            await until(is_there_or_ended, timeout_s=_START_S, what=f"{names} started")
        except NotInTime as error:
            raise CannotDrill(self._told(str(error), processes)) from error
        for one in processes:
            if (ended := one.how_it_ended()) is not None:
                raise CannotDrill(self._told(f"{one.name} ended with {ended}", [one]))

    def _told(self, what: str, processes: Sequence[DrillProcess]) -> str:
        return "\n".join([what, *self.said_last(processes)])

    async def _listens(self) -> bool:
        return await asyncio.to_thread(is_taken, "127.0.0.1", self._place.port)

    async def _has_groups(self) -> bool:
        keys = self.streams.keys("events")
        return all([_GROUP in await group_names(self._redis, key) for key in keys])

    async def _is_through(self, key: str, upto: EntryId) -> bool:
        for row in await group_rows(self._redis, key):
            if EntryId.of(row["last-delivered-id"]) < upto:
                return False
        pending = await self._pending(key)
        return not pending["pending"] or EntryId.of(pending["min"]) > upto

    async def _pending(self, key: str) -> dict[str, Any]:
        found: Any = await self._redis.xpending(key, _GROUP)
        return dict(found)


def _ours(config: Path, package: str, *command: str) -> tuple[str, ...]:
    return (sys.executable, "-m", package, "--config", str(config), *command)
