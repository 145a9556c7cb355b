"""Carries out what deliveries about the application lead to, now or as soon as it can be.

Each is written down first (gateway.installation.journal) and crossed out last. What could not be
done is tried again every few seconds, in fair turns (gateway.installation.turns).
"""

import asyncio
from functools import partial
from time import monotonic
from typing import Any, Final, Literal, TypeAlias

import msgspec
import structlog

from gateway import metrics
from gateway.background import Background, Errands
from gateway.contract import AppEvent
from gateway.inbound.delivery import Delivery
from gateway.inbound.form_fields import extract
from gateway.installation.errors import InstallationDelayed, NotConfirmed
from gateway.installation.journal import (
    Journal,
    JournalUnavailable,
    Kind,
    Name,
    Task,
    TooManyWait,
    UnderWay,
)
from gateway.installation.steps import TOO_LATE, Installing, Steps, claimed
from gateway.installation.turns import next_in_turn
from gateway.installation.uninstalling import Uninstallation
from gateway.portals.application_tokens import digest_of
from gateway.publishing.batch import Stored
from gateway.publishing.errors import CannotStore

__all__ = ["Lifecycle", "TaskProgress"]

log: Any = structlog.get_logger(__name__)

TaskProgress: TypeAlias = Literal["done", "waits", "lost"]
"""What has become of a task: `lost` is one that could be neither done nor written down."""

_AGAIN: Final = "an installation is lost: install the application again"
_AGAIN_S: Final = 10.0
_RESUMED: Final[dict[str, tuple[Kind, ...]]] = {
    "uninstallations": ("uninstall",),
    "installations": ("install", "reinstall"),
}
_ROUND: Final = 40
# After so many, what has been tried may be tried again: a flood must not put that off.
_FULL_S: Final = 1.0
_MAX_CLIENTS: Final = 1000
_MAX_BODY_BYTES: Final = 8192
# Several times what Bitrix24 sends about an installation.


class Lifecycle:
    """Carries out what a receiver process has to do about the application's life.

    Without an application in the settings `installing` is None, and nothing is installed. `start`
    before the first delivery, `close` after the last one.
    """

    def __init__(self, journal: Journal, steps: Steps, installing: Installing | None) -> None:
        self._journal = journal
        self._steps = steps
        self._installing = installing
        # Begun anew, for the receiver stores events without them. Apart, since anybody can make
        # installations wait that nobody confirms.
        self._resuming = [
            Background(partial(self._keep_resuming, *kinds), name=name, begins_anew=True)
            for name, kinds in _RESUMED.items()
        ]
        self._reinstalling = Errands("reinstallation")
        self._full_until: dict[str, float] = {}

    @property
    def can_install(self) -> bool:
        """Whether the settings name an application."""
        return self._installing is not None

    def start(self) -> None:
        """Start to take up what was left."""
        for one in self._resuming:
            one.start()

    async def close(self) -> None:
        """End; what is under way is left, to be taken up again."""
        for one in self._resuming:
            await one.close()
        await self._reinstalling.close()
        if self._installing is not None:
            await self._installing.close()

    async def installed(self, delivery: Delivery, *, client: str) -> TaskProgress:
        """Install for an ONAPPINSTALL of a token that is not known; `client` stands for the sender.

        Where it waits, it does for an hour at most; a client has a few places to wait in, and
        beyond them nothing is written and nobody asked. Raises NotConfirmed.
        """
        if self._installing is None:
            raise NotConfirmed("no_application")
        if len(delivery.body) > _MAX_BODY_BYTES:
            raise NotConfirmed("too_large")
        claimed(delivery)  # before anything is written for whoever sends nonsense
        if self._full_until.get(client, 0.0) > monotonic():
            return self._lost(delivery, "too many of this sender wait already")
        task = _task("install", delivery, self._installing.sealed(delivery), client=client)
        try:
            return await self._now(task)
        except TooManyWait as error:
            if len(self._full_until) >= _MAX_CLIENTS:
                self._full_until.clear()
            self._full_until[client] = monotonic() + _FULL_S
            return self._lost(delivery, str(error))

    async def reinstalled(self, delivery: Delivery) -> None:
        """Take the tokens of an ONAPPINSTALL whose application token is known, in the background.

        The event is stored already. Returns when the task is written down; where several of the
        portal wait, those have tokens enough.
        """
        if self._installing is None or len(delivery.body) > _MAX_BODY_BYTES:
            return
        task = _task("reinstall", delivery, self._installing.sealed(delivery))
        try:
            under_way = await self._begun(task)
        except TooManyWait as error:
            log.warning("the tokens of an installation are not taken", why=str(error), **_of(task))
            return
        self._reinstalling.begin(self._in_turn(task, under_way), **_of(task))

    async def uninstalled(self, delivery: Delivery, event: AppEvent) -> Stored:
        """Uninstall for an ONAPPUNINSTALL whose application token is known.

        Returns when the event is on the stream, or on this machine's disk until it can be there;
        raises CannotStore if neither can be.
        """
        fields = extract(delivery.body)
        one = Uninstallation(
            event=event,
            digest=digest_of(fields.application_token or ""),
            clean=fields.clean == "1",
        )
        task = _task("uninstall", delivery, msgspec.msgpack.encode(one))
        progress = await self._now(task)
        if progress == "lost":
            raise CannotStore("uninstallation")
        return Stored.STREAM if progress == "done" else Stored.SPOOL

    async def resume(self, *kinds: Kind) -> None:
        """Take up what was left of these kinds, each once, and not too many."""
        tried: list[Name] = []
        while len(tried) < _ROUND:
            names = await asyncio.to_thread(self._journal.names)
            name = next_in_turn(names, tried, kinds)
            if name is None:
                return
            tried.append(name)
            await self._take_up(name)

    async def _take_up(self, name: Name) -> None:
        under_way = await asyncio.to_thread(self._journal.resume, name)
        if under_way is None:
            return
        try:
            await self._carried_out(under_way.task, under_way)
        except Exception:
            log.exception("a change of the application fails", event_id=name.receipt_id)

    async def _keep_resuming(self, *kinds: Kind) -> None:
        await asyncio.to_thread(self._journal.clean)
        while True:
            await self.resume(*kinds)
            metrics.LIFECYCLE_TASKS.set(len(await asyncio.to_thread(self._journal.names)))
            await asyncio.sleep(_AGAIN_S)

    async def _now(self, task: Task) -> TaskProgress:
        """Carry a new task out; raises NotConfirmed."""
        return await self._in_turn(task, await self._begun(task), tells=True)

    async def _in_turn(
        self, task: Task, under_way: UnderWay | None, *, tells: bool = False
    ) -> TaskProgress:
        """Carry a task out unless an earlier one of its portal waits."""
        if under_way and not await asyncio.to_thread(self._journal.is_first, task):
            under_way.leave()
            return "waits"
        return await self._carried_out(task, under_way, tells=tells)

    async def _begun(self, task: Task) -> UnderWay | None:
        """The task written down; None if that cannot be, and it has to be done without.

        Raises TooManyWait of installations.
        """
        try:
            return await asyncio.to_thread(self._journal.begin, task)
        except JournalUnavailable as error:
            if task.kind != "uninstall" and isinstance(error, TooManyWait):
                raise
            log.error(
                "a change of the application is not written down", why=str(error), **_of(task)
            )
            return None

    async def _carried_out(
        self, task: Task, under_way: UnderWay | None, *, tells: bool = False
    ) -> TaskProgress:
        """Carry it out and cross it out, or leave it; raises NotConfirmed if it is to be told."""
        try:
            await self._steps.carry_out(task, is_urgent=tells)
        except InstallationDelayed as error:
            if under_way is None:
                is_installation = task.kind != "uninstall"
                phrase = _AGAIN if is_installation else "a change of the application is lost"
                log.error(phrase, why=error.reason, **_of(task))
                return "lost"
            log.warning("a change of the application waits", why=error.reason, **_of(task))
            return "waits"
        except NotConfirmed as error:
            metrics.INSTALLATIONS.labels("refused").inc()
            if under_way is not None:
                await asyncio.to_thread(under_way.finish)
            if tells:
                raise
            if error.reason == TOO_LATE:
                log.error(_AGAIN, why=error.reason, **_of(task))
            else:
                log.warning("an installation is refused", why=error.reason, **_of(task))
        else:
            if under_way is not None:
                await asyncio.to_thread(under_way.finish)
        finally:
            if under_way is not None:
                under_way.leave()
        return "done"

    def _lost(self, delivery: Delivery, why: str) -> TaskProgress:
        about = {"event_id": delivery.receipt_id, "member_id": delivery.member_id}
        log.error(_AGAIN, why=why, kind="install", **about)
        return "lost"


def _task(kind: Kind, delivery: Delivery, content: bytes, *, client: str = "") -> Task:
    return Task(
        kind=kind,
        receipt_id=delivery.receipt_id,
        member_id=delivery.member_id,
        received_ms=delivery.received_ms,
        content=content,
        client=client,
    )


def _of(task: Task) -> dict[str, str]:
    return {"kind": task.kind, "event_id": task.receipt_id, "member_id": task.member_id}
