"""Looks at the installation, once for all who ask at about the same time."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.background import owned
from gateway.balance.sheet import Balance
from gateway.contract import timestamps
from gateway.doctor.examination import examine
from gateway.doctor.finding import Finding
from gateway.ending import end
from gateway.explanation.event_way import KeptOutcome
from gateway.explanation.kept_records import kept_records
from gateway.history.last_hour import LastHour, last_hour
from gateway.history.sample_ring import HistorySample, read_samples
from gateway.ops.answer_times import ANSWER_S, answered
from gateway.portals.current_portals import CurrentPortals
from gateway.portals.directory import Portal
from gateway.redis_access.redis_faults import FAILURES, predicate
from gateway.settings import Settings
from gateway.status.installation_status import InstallationStatus, StatusObserver
from gateway.status.machine_balance import balance_within
from gateway.status.status_rules import StatusFault, faults_of
from gateway.store_times import STORE_BOUNDS_S

__all__ = ["DoctorAnswer", "InstallationLooks", "NowAnswer"]

_SHARED_S: Final = 1.0
_BALANCE_S: Final = 1.5
_EXAMINED_FOR_S: Final = 60.0
_EXAMINATION_S: Final = 0.1


class NowAnswer(Struct, frozen=True, kw_only=True):
    """How the installation is. While Redis is away, `last` is how it was when Redis last answered.

    `balance` is None where it could not be read, and `balance_why_not` says why. `hour` is how the
    last hour was, as far as samples of it were seen; None if none ever could be read.
    """

    is_well: bool
    faults: Sequence[StatusFault]
    status: InstallationStatus
    balance: Balance | None
    balance_why_not: str | None
    last: InstallationStatus | None
    hour: LastHour | None


class DoctorAnswer(Struct, frozen=True, kw_only=True):
    """What the last examination has found, which ended `at`; None while the first one takes."""

    at: str | None
    findings: Sequence[Finding] | None
    is_under_way: bool


class InstallationLooks:
    """Looks by the account of the console; examines with the settings of the process.

    `file` is where these stand. To be closed.
    """

    def __init__(self, settings: Settings, examined: Settings, file: Path | None) -> None:
        self._settings = settings
        self._examined = examined
        self._file = file
        self._asking = asyncio.Lock()
        self._portals = CurrentPortals(settings)
        self._observer = StatusObserver(settings, self._portals, looks_twice=False)
        self._turn = asyncio.Lock()
        self._now: NowAnswer | None = None
        self._now_at = 0.0
        self._last: InstallationStatus | None = None
        self._samples: Sequence[HistorySample] | None = None
        self._examining: asyncio.Task[list[Finding]] | None = None
        self._found: DoctorAnswer | None = None
        self._found_at = 0.0

    async def close(self) -> None:
        """End what is under way, and the connections."""
        if self._examining is not None:
            await end(self._examining)
        async with self._observer:
            pass

    async def now(self) -> NowAnswer:
        """How it is, a second old at most; within two seconds or so, whatever answers."""
        async with self._turn:
            if self._now is None or time.monotonic() - self._now_at > _SHARED_S:
                self._now = await self._look()
                self._now_at = time.monotonic()
            return self._now

    async def examination(self) -> DoctorAnswer:
        """What an examination found a minute ago at most, or earlier while a new one is under way.

        What takes longer than a tenth of a second is there for whoever asks later.
        """
        is_old = self._found is None or time.monotonic() - self._found_at > _EXAMINED_FOR_S
        if is_old and self._examining is None:
            self._examining = owned(examine(self._examined, self._file, role="receiver"))
        if self._examining is not None:
            await asyncio.wait([self._examining], timeout=_EXAMINATION_S)
            self._take_examination()
        if self._found is None:
            return DoctorAnswer(at=None, findings=None, is_under_way=True)
        return replace(self._found, is_under_way=self._examining is not None)

    async def portals(self) -> Sequence[Portal]:
        """The registered portals, by domain. Raises one of connections.FAILURES."""
        return await answered(self._settings.redis, self._portals.read, within_s=ANSWER_S)

    async def kept_records(self, event_id: str) -> list[KeptOutcome]:
        """What the audit log and the warehouse have of an event; for one who asks at a time."""
        async with self._asking:
            return await kept_records(self._examined, self._file, event_id, within_s=ANSWER_S)

    def _take_examination(self) -> None:
        task = self._examining
        if task is None or not task.done():
            return
        self._examining = None
        at = timestamps.seconds(time.time())
        self._found = DoctorAnswer(at=at, findings=task.result(), is_under_way=False)
        self._found_at = time.monotonic()

    async def _look(self) -> NowAnswer:
        settings = self._settings
        status, _ = await asyncio.gather(self._observer.look(), self._look_back())
        balance, why_not = status.balance, None
        if balance is None:
            balance, why_not = await self._balance()
        faults = faults_of(status, memory_share=settings.retention.max_memory_share)
        if status.redis_why_not is None:
            self._last = status
        return NowAnswer(
            is_well=not faults and balance is not None and not balance.open,
            faults=faults,
            status=status,
            balance=balance,
            balance_why_not=why_not,
            last=self._last if status.redis_why_not is not None else None,
            hour=None
            if self._samples is None
            else last_hour(
                self._samples, now_ms=round(time.time() * 1000), bounds_s=STORE_BOUNDS_S
            ),
        )

    async def _look_back(self) -> None:
        """Read the samples of the last hour; those of before stay while Redis is away."""
        settings = self._settings.redis
        with suppress(*FAILURES):
            self._samples = await answered(
                settings,
                lambda redis: read_samples(redis, settings.prefix),
                within_s=_BALANCE_S,
            )

    async def _balance(self) -> tuple[Balance | None, str | None]:
        try:
            return await balance_within(self._settings, within_s=_BALANCE_S), None
        except FAILURES as error:
            return None, f"Redis {' '.join(predicate(error).split())}"
