"""Keeps what consumers have done with events, so that each effect can be counted, in one file.

An effect is a row that is stored in one transaction, which raises the partition's fence to the
epoch of whoever stores it, and is refused if the fence is higher already. A row that is there stays
as it is: so an event that comes again is recognised.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from msgspec import Struct

__all__ = ["Effect", "EffectStore", "Told"]

_TABLES: Final = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS fences (partition INTEGER PRIMARY KEY, epoch INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS effects (
    number INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT UNIQUE, comment_id INTEGER,
    entry_id TEXT, partition INTEGER, epoch INTEGER, pid INTEGER);
CREATE TABLE IF NOT EXISTS told (event_id TEXT, outcome TEXT, pid INTEGER);
"""
_FENCE: Final = """
INSERT INTO fences VALUES (?1, ?2)
ON CONFLICT DO UPDATE SET epoch = ?2 WHERE epoch <= ?2
"""
_EFFECT: Final = """
INSERT OR IGNORE INTO effects (event_id, comment_id, entry_id, partition, epoch, pid)
VALUES (?, ?, ?, ?, ?, ?)
"""
_BUSY_S: Final = 10.0


class Effect(Struct, frozen=True, kw_only=True):
    """An event's effect, by which process, under which epoch of its partition."""

    event_id: str
    comment_id: int
    entry_id: str
    partition: int
    epoch: int
    pid: int


class Told(Struct, frozen=True):
    """What a process was told when it stored an effect: `stored`, `repeated` or `refused`."""

    event_id: str
    outcome: str
    pid: int


class EffectStore:
    """Stores effects in a file in `directory`, which several processes may use at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def prepare(self) -> None:
        """Make the tables, before anybody stores anything. May be repeated."""
        with closing(self._connect()) as database:
            database.executescript(_TABLES)

    def store(self, effect: Effect) -> bool:
        """Store it, whoever is killed then; False if another process has the partition since."""
        with closing(self._connect()) as database, database:
            database.execute("BEGIN IMMEDIATE")
            fence = database.execute(_FENCE, (effect.partition, effect.epoch))
            is_allowed = fence.rowcount == 1
            outcome = "refused"
            if is_allowed:
                row = database.execute(
                    _EFFECT,
                    (
                        effect.event_id,
                        effect.comment_id,
                        effect.entry_id,
                        effect.partition,
                        effect.epoch,
                        effect.pid,
                    ),
                )
                outcome = "stored" if row.rowcount == 1 else "repeated"
            told = (effect.event_id, outcome, effect.pid)
            database.execute("INSERT INTO told VALUES (?, ?, ?)", told)
        return is_allowed

    def effects(self, *, since: int = 0) -> list[Effect]:
        """The effects in the order in which they were stored, without the first `since`."""
        query = (
            "SELECT event_id, comment_id, entry_id, partition, epoch, pid FROM effects"
            " ORDER BY number LIMIT -1 OFFSET ?"
        )
        with closing(self._connect()) as database:
            return [
                Effect(
                    event_id=event_id,
                    comment_id=comment_id,
                    entry_id=entry_id,
                    partition=partition,
                    epoch=epoch,
                    pid=pid,
                )
                for event_id, comment_id, entry_id, partition, epoch, pid in database.execute(
                    query, (since,)
                )
            ]

    def told(self) -> list[Told]:
        """What was answered to each process that stored something, in order."""
        with closing(self._connect()) as database:
            query = "SELECT event_id, outcome, pid FROM told ORDER BY rowid"
            return [Told(*row) for row in database.execute(query)]

    def _connect(self) -> sqlite3.Connection:
        file = self._directory / "effects.sqlite3"
        database = sqlite3.connect(file, timeout=_BUSY_S, isolation_level=None)
        # An fsync for each would be for power failures, and slower than the load may be.
        database.execute("PRAGMA synchronous = NORMAL")
        return database
