"""A service whose effects can be counted: each event is one row, stored in one transaction.

`app` runs as a process (`consumers run tests.faults.sink:app`), set up by its environment; `Sink`
looks at what it stored. The transaction raises the partition's fence to the epoch of the process,
and is refused if the fence is higher already; a row that is there stays as it is.
"""

import asyncio
import os
import signal
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from consumers import CommentEvent, Consumer, Entry
from gateway.contract import EntryId

__all__ = ["GROUP", "SERVICE", "Sink", "app"]

GROUP = "sink"
SERVICE = "tests.faults.sink:app"

_TABLES = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS fences (partition INTEGER PRIMARY KEY, epoch INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS rows (
    number INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT UNIQUE, comment_id INTEGER,
    entry_id TEXT, epoch INTEGER, pid INTEGER);
CREATE TABLE IF NOT EXISTS outcomes (event_id TEXT, outcome TEXT, pid INTEGER);
"""
_FENCE = """
INSERT INTO fences VALUES (?1, ?2)
ON CONFLICT DO UPDATE SET epoch = ?2 WHERE epoch <= ?2
"""
_ROW = "INSERT OR IGNORE INTO rows (event_id, comment_id, entry_id, epoch, pid) VALUES (?,?,?,?,?)"


class Refused(Exception):
    """Another process has stored something for this partition under a higher epoch."""


app = Consumer(group=GROUP, stream="events")


@app.on("bitrix24.crm.timeline.comment.*")
async def store(event: CommentEvent, entry: Entry) -> None:
    await asyncio.sleep(float(os.environ.get("SINK_TAKES_S", "0")))
    _freeze()
    _die(event, "before")
    if not _commit(event, entry):
        raise Refused
    _die(event, "after")


def _commit(event: CommentEvent, entry: Entry) -> bool:
    with closing(_connect(Path(os.environ["SINK_DIR"]))) as database, database:
        database.execute("BEGIN IMMEDIATE")
        is_allowed = database.execute(_FENCE, (entry.partition, entry.epoch)).rowcount == 1
        outcome = "refused"
        if is_allowed:
            row = (event.id, event.data.comment_id, entry.id, entry.epoch, os.getpid())
            outcome = "stored" if database.execute(_ROW, row).rowcount == 1 else "repeated"
        told = (event.id, outcome, os.getpid())
        database.execute("INSERT INTO outcomes VALUES (?, ?, ?)", told)
    return is_allowed


def _die(event: CommentEvent, moment: str) -> None:
    """As by SIGKILL, where the environment says so: `<moment> <comment id>`."""
    if os.environ.get("SINK_DIES") == f"{moment} {event.data.comment_id}":
        os.kill(os.getpid(), signal.SIGKILL)


def _freeze() -> None:
    """As by SIGSTOP, once, when there are so many rows as the environment says."""
    directory = Path(os.environ["SINK_DIR"])
    limit = os.environ.get("SINK_FREEZES_AT")
    if limit and len(Sink(directory).rows()) >= int(limit):
        with suppress(FileExistsError):
            (directory / "frozen").touch(exist_ok=False)
            os.kill(os.getpid(), signal.SIGSTOP)


class Row(Struct, frozen=True):
    event_id: str
    comment_id: int
    entry_id: str
    epoch: int
    pid: int


class Sink:
    """What the processes that were given `environment` have stored."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.environment = {"SINK_DIR": str(directory)}
        with closing(_connect(directory)) as database:
            database.executescript(_TABLES)

    def rows(self) -> list[Row]:
        """The rows in the order in which they were stored."""
        with closing(_connect(self._directory)) as database:
            query = "SELECT event_id, comment_id, entry_id, epoch, pid FROM rows ORDER BY number"
            return [Row(*one) for one in database.execute(query)]

    def outcomes(self) -> Counter[str]:
        """How many calls were `stored`, `repeated` and `refused`."""
        with closing(_connect(self._directory)) as database:
            return Counter(
                outcome for (outcome,) in database.execute("SELECT outcome FROM outcomes")
            )

    def assert_each_once(self, events: Iterable[CommentEvent]) -> None:
        """Each event has its row, and there is no other; each comment's in order of entries."""
        rows = self.rows()
        assert Counter(row.event_id for row in rows) == Counter(event.id for event in events)
        by_comment: defaultdict[int, list[str]] = defaultdict(list)
        for row in rows:
            by_comment[row.comment_id].append(row.entry_id)
        for ids in by_comment.values():
            assert all(EntryId.of(one) < EntryId.of(next_one) for one, next_one in pairwise(ids))


def _connect(directory: Path) -> sqlite3.Connection:
    return sqlite3.connect(directory / "sink.sqlite3", timeout=10, isolation_level=None)
