"""Writes one chain, the log of one partition of one stream; each chain has one writer.

`append` returns when the records are on the disk; only then are their entries acknowledged. It
changes nothing in memory before that, and after a failed write the chain is opened anew from what
the disk holds, so that a full disk or a torn write cannot leave the two apart.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog

from consumers.audit.chain_files import CannotWrite, ChainFiles
from consumers.audit.chain_options import ChainEntry, ChainOptions
from consumers.audit.record_batch import Position, RecordBatch
from consumers.audit.records import (
    BegunRecord,
    GapRecord,
    Head,
    MissingRecord,
    NewKeyRecord,
    RemovedFile,
    RepairedRecord,
    TombstoneRecord,
)
from consumers.audit.reopening import ReopenedChain, find
from consumers.audit.seen_entries import SeenEntries
from gateway.contract import timestamps

__all__ = ["Chain"]

log = structlog.get_logger()


class Chain:
    """Appends records to a chain; thread-safe. Open it with `Chain.open`; close it when done."""

    def __init__(self, root: Path, stream: str, partition: int, options: ChainOptions) -> None:
        self.directory = root / f"{stream}-{partition}"
        self._stream = stream
        self._partition = partition
        self._options = options
        self._serial = threading.Lock()
        self._files = ChainFiles(self.directory)
        self._found(ReopenedChain())

    @classmethod
    def open(cls, root: Path, stream: str, partition: int, options: ChainOptions) -> "Chain":
        """Take the chain, repair what a crash left, and begin it if it is new.

        Raises ChainTaken, CannotWrite, or LogDamaged if acknowledged records are not there.
        """
        chain = cls(root, stream, partition, options)
        try:
            chain._files.take()
            chain._ready()
        except BaseException:
            chain.abandon()
            raise
        return chain

    def append(self, entries: Sequence[ChainEntry]) -> int:
        """Add the events that the chain does not hold yet; return how many these were.

        On return all of them are on the disk. Calling it again with the same entries changes
        nothing. Raises CannotWrite, LogDamaged, FileDamaged, OSError: then none is in the chain.
        """
        with self._serial:
            self._ready()
            known = self._seen.known_among([entry.id for entry in entries])
            fresh = {entry.id: entry.raw for entry in entries if entry.id not in known}
            if not fresh:
                return 0

            def fill(batch: RecordBatch) -> None:
                for entry_id, raw in fresh.items():
                    batch.add_event(self._stream, self._partition, entry_id, raw)

            self._commit(fill, fresh=tuple(fresh))
            return len(fresh)

    def checkpoint(self) -> bool:
        """Sign what came since the last checkpoint; False if nothing did. Raises as `append`."""
        with self._serial:
            self._ready()
            if not self._at.leaves:
                return False
            self._commit(RecordBatch.checkpoint, same_day=True)
            return True

    def miss(self, gap: GapRecord) -> None:
        """Record that acknowledged entries are not in the chain, so that this is found once.

        Raises as `append` does.
        """
        with self._serial:
            self._ready()
            self._commit(lambda batch: batch.add(MissingRecord, gap=gap), reached=gap.until)

    def bury(self, removed: Sequence[RemovedFile], *, kept_days: int) -> None:
        """Record that the oldest files are going to be removed. Raises as `append` does."""
        with self._serial:
            self._ready()
            self._commit(
                lambda batch: batch.add(
                    TombstoneRecord, kept_days=kept_days, removed=tuple(removed)
                )
            )

    @property
    def position(self) -> Position:
        """Where the chain ends."""
        return self._at

    @property
    def newest(self) -> str:
        """The highest entry id in the chain, or that a gap in it reaches to; `0-0` at first."""
        return self._seen.newest

    def close(self) -> None:
        """Write a last checkpoint if that is possible, and let others have the chain."""
        with self._serial:
            try:
                if self._files.is_open and self._at.leaves:
                    self._commit(RecordBatch.checkpoint, same_day=True)
            except CannotWrite as error:
                log.warning("audit log closed without a checkpoint", error=str(error))
            finally:
                self.abandon()

    def abandon(self) -> None:
        """Let others have the chain as it is, with no last checkpoint. May be repeated."""
        self._files.give_back()

    def _ready(self) -> None:
        """Open the files if they are not: at the start, and after a failed write."""
        self._files.refuse_untaken()
        if self._files.is_open:
            return
        key = self._options.public_key
        try:
            found = find(self.directory, key=key, former_keys=self._options.former_keys)
            self._files.open(found.day)
        except OSError as error:
            self._files.drop()
            raise CannotWrite(self.directory, error) from error
        self._found(found)
        self._note(found)

    def _note(self, found: ReopenedChain) -> None:
        """Begin a new chain, or record what opening it found."""
        key, cut = self._options.public_key, found.cut

        def fill(batch: RecordBatch) -> None:
            if found.seq == 0:
                batch.add(BegunRecord)
            elif found.key != key:
                batch.add(NewKeyRecord, former=found.key)
            if cut is not None:
                batch.add(RepairedRecord, file=cut.file, cut_bytes=cut.size, cut_sha256=cut.sha256)

        _tell_of(found, chain=self.directory.name)
        if found.seq == 0 or found.key != key or cut is not None:
            self._commit(fill)

    def _found(self, found: ReopenedChain) -> None:
        self._at = Position(found.prev, found.seq, found.day, found.end, found.leaves)
        self._seen = SeenEntries(self.directory, newest=found.newest, recent=found.recent)

    def _commit(
        self,
        fill: Callable[[RecordBatch], None],
        *,
        fresh: Sequence[str] = (),
        reached: str = "0-0",
        same_day: bool = False,
    ) -> None:
        """Write what `fill` puts into a batch, then the head, both durably; all or nothing.

        `fresh` are the entries in it, `reached` is the end of a gap that it tells of.
        """
        now = self._options.clock().astimezone(UTC)
        today = now.date().isoformat()
        try:
            if today > self._at.day and not same_day:
                self._change_day(today, now)
            self._write(fill, now, fresh, reached)
        except OSError as error:
            self._files.cut_off(self._at.end)
            self._files.drop()
            raise CannotWrite(self.directory, error) from error

    def _change_day(self, today: str, now: datetime) -> None:
        """Close the newest file with a checkpoint, and begin the next one."""
        if self._at.leaves:
            self._write(RecordBatch.checkpoint, now)
        self._files.begin_day(today)
        self._at = Position(self._at.prev, self._at.seq, today, 0, ())

    def _write(
        self,
        fill: Callable[[RecordBatch], None],
        now: datetime,
        fresh: Sequence[str] = (),
        reached: str = "0-0",
    ) -> None:
        name = self.directory.name
        batch = RecordBatch(
            self._at,
            chain=name,
            recorded_at=timestamps.milliseconds_of(now),
            signer=self._options.signer,
            checkpoint_every=self._options.checkpoint_every,
        )
        fill(batch)
        self._files.append(batch.data)
        at = batch.position
        newest = self._seen.newest_with((*fresh, reached))
        self._files.write_head(
            Head(
                prev=at.prev,
                seq=at.seq,
                recorded_at=timestamps.milliseconds_of(now),
                chain=name,
                file=f"{at.day}.jsonl",
                end=at.end,
                newest=newest,
            ),
            self._options.signer,
        )
        self._at = at
        self._seen.add(fresh)
        self._seen.reach(newest)


def _tell_of(found: ReopenedChain, *, chain: str) -> None:
    """Say what opening a chain found that ought not to be."""
    cut = found.cut
    if found.seq > 1 and not found.has_former:
        log.warning(
            "one of the two heads of the audit log is torn",
            chain=chain,
            by="a crash, or whoever took the records of the last batch away",
        )
    if cut is not None:
        log.warning("bytes cut off that were never acknowledged", file=cut.file, size=cut.size)
