"""Asks the audit log and the warehouse for an event, by the commands of `consumers`.

What they keep are files and databases of consumers, of which the gateway knows nothing but where
the settings say that they are: so each is asked by a process that ends with its answer.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from gateway.explanation.event_way import KeptOutcome
from gateway.settings import Settings

__all__ = ["kept_records"]

_PYTHON: Final = (sys.executable, "-m", "consumers")
_IN_FILE: Final = "duckdb:///"
_NOT_THERE: Final = 1
"""The exit code of both for an event that they do not have."""


class _AuditRecord(Struct):
    recorded_at: str


class _Row(Struct):
    table: str
    row: dict[str, Any]


async def kept_records(
    settings: Settings, file: Path | None, event_id: str, *, within_s: float
) -> list[KeptOutcome]:
    """What both have of an event; `file` is where the settings stand.

    Who has not answered in so many seconds is not waited for.
    """
    return list(
        await asyncio.gather(
            _in_audit_log(settings, file, event_id, within_s),
            _in_warehouse(settings, file, event_id, within_s),
        )
    )


async def _in_audit_log(
    settings: Settings, file: Path | None, event_id: str, within_s: float
) -> KeptOutcome:
    place: Literal["audit log"] = "audit log"
    if not await asyncio.to_thread(Path(settings.audit.dir).is_dir):
        return _not_known(place, f"there is no {settings.audit.dir} on this machine")
    words = ("audit", "show", "--event", event_id, "--json")
    lines, why_not = await _asked(words, file, within_s)
    if lines is None:
        return _not_known(place, why_not)
    if not lines:
        return KeptOutcome(place=place, state="not there")
    record = msgspec.json.decode(lines[0], type=_AuditRecord)
    return KeptOutcome(place=place, state="there", at=record.recorded_at)


async def _in_warehouse(
    settings: Settings, file: Path | None, event_id: str, within_s: float
) -> KeptOutcome:
    place: Literal["warehouse"] = "warehouse"
    where = settings.warehouse.destination
    if where.startswith(_IN_FILE):
        database = where.removeprefix(_IN_FILE)
        if not await asyncio.to_thread(Path(database).exists):
            return _not_known(place, f"there is no {database} on this machine")
    words = ("warehouse", "find", event_id, "--within", f"{within_s / 2:.2f}", "--json")
    lines, why_not = await _asked(words, file, within_s)
    if lines is None:
        return _not_known(place, why_not)
    if not lines:
        return KeptOutcome(place=place, state="not there")
    found = msgspec.json.decode(lines[0], type=_Row)
    at = found.row.get("loaded_at")
    return KeptOutcome(place=place, state="there", at=at and str(at), table=found.table)


async def _asked(
    words: Sequence[str], file: Path | None, within_s: float
) -> tuple[list[bytes] | None, str]:
    """The lines that a command prints, none if it has no such event; or None, and why not."""
    config = () if file is None else ("--config", str(file))
    process = await asyncio.create_subprocess_exec(
        *_PYTHON,
        *config,
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(within_s):
            said, complained = await process.communicate()
    except TimeoutError:
        return None, f"it is not reachable: no answer within {within_s:.2g} s"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == 0 or (process.returncode == _NOT_THERE and not complained):
        return said.splitlines(), ""
    last = complained.decode(errors="replace").strip().rpartition("\n")[2]
    return None, last or f"`consumers {words[0]}` ended with {process.returncode}"


def _not_known(place: Literal["audit log", "warehouse"], why_not: str) -> KeptOutcome:
    return KeptOutcome(place=place, state="not known", why_not=why_not)
