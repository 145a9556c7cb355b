"""Checks a chain: one pass over the bytes of its files, in constant memory.

A record of an event is checked without parsing it: it has to begin with the hash of the record
before it and the next number, and to end with its own hash. Only the log's own records, a few in
a thousand, and the first line that does not fit are looked at more closely.
"""

from collections.abc import Collection, Iterator
from hashlib import sha256
from pathlib import Path
from typing import TypeGuard

from consumers.audit.chain_gaps import Gaps
from consumers.audit.chain_head import read_head
from consumers.audit.day_files import DayFile, FileDamaged, day_files, open_lines
from consumers.audit.diagnosis import diagnose
from consumers.audit.findings import Anchor, Broken, ChainFault, ChainReport
from consumers.audit.own_records import OwnRecord, OwnRecords, Walked, is_own
from consumers.audit.records import (
    GENESIS,
    HASH_END_BYTES,
    CheckpointRecord,
    Head,
    Record,
    intact,
)

__all__ = ["verify_chain"]


def verify_chain(
    chain: Path,
    *,
    keys: Collection[str] = (),
    anchors: Collection[Anchor] = (),
    known_gaps: Collection[int] = (),
) -> ChainReport:
    """Check the chain in a directory; a writer may be at work on it meanwhile.

    With `keys`, public keys in hexadecimal, the head has to be signed by one of them, and nothing
    may be signed by another. Without, signatures only have to fit the keys that stand beside them.
    `anchors` are records that the chain is known to have held. `known_gaps` are the numbers of
    records that tell of missing entries, whom the operator knows of.
    """
    report = ChainReport(chain=chain.name)
    try:
        _Walk(chain, report, frozenset(keys), anchors, Gaps(known_gaps)).run()
    except Broken as broken:
        report.fault = broken.fault
    return report


class _Walk:
    """Goes over a chain once; `prev` is the hash of the last record that was right."""

    def __init__(
        self,
        chain: Path,
        report: ChainReport,
        keys: frozenset[str],
        anchors: Collection[Anchor],
        gaps: Gaps,
    ) -> None:
        self._chain = chain
        self._anchors = {anchor.seq: anchor.hash for anchor in anchors}
        self._gaps = gaps
        self._report = report
        self._keys = keys
        self._walked = Walked()
        self._own = OwnRecords(chain.name, report, self._walked, keys, gaps)
        self._head = read_head(chain)  # before the files: these can only go further
        self._files = day_files(chain)
        self._prev = GENESIS
        self._leaves: list[bytes] = []
        self._goes_on_from = GENESIS

    def run(self) -> None:
        """Raises Broken at the first fault."""
        self._check_head()
        for index, file in enumerate(self._files):
            self._walked.file, self._walked.line = file.name, 0
            try:
                if index == 0:
                    self._begin(file)
                with open_lines(file) as lines:
                    self._check_file(file, lines, is_last=index == len(self._files) - 1)
            except FileDamaged as error:
                detail = f"record {self._walked.seq + 1} cannot be unpacked: the file is damaged"
                raise self._walked.broken("changed", detail, line=self._walked.line + 1) from error
        self._check_end()

    def _begin(self, file: DayFile) -> None:
        """Take the first record's word for what it goes on from; a tombstone has to bear it out."""
        with open_lines(file) as lines:
            record = intact(next(lines, b""))
        self._report.files = len(self._files)
        self._report.first_day, self._report.last_day = file.day, self._files[-1].day
        if record is not None:
            self._prev, self._walked.seq = record.prev, record.seq - 1
        self._report.first_seq = self._walked.seq + 1
        self._goes_on_from = self._prev

    def _check_file(self, file: DayFile, lines: Iterator[bytes], *, is_last: bool) -> None:
        """The loop that the speed of a verification depends on."""
        prev, seq, leaves = self._prev.encode(), self._walked.seq, self._leaves
        vouched = self._anchors.keys() | ({self._head.head.seq} if self._head else set())
        begin = b'{"kind":"event","prev":"%b","seq":%d,'
        end = b',"hash":"%b"}\n'
        number = 0
        try:
            for number, line in enumerate(lines, 1):
                digest = sha256(line[:-HASH_END_BYTES])
                found = digest.hexdigest().encode()
                if line.startswith(begin % (prev, seq + 1)) and line.endswith(end % found):
                    leaves.append(digest.digest())
                    self._report.events += 1
                    if self._gaps:
                        self._gaps.see(line)
                else:
                    self._stand(prev, seq, number)
                    if is_last and self._is_unfinished(line):
                        break
                    own = self._own_record(line, lines)
                    self._own.check(own, line, leaves)
                    if not isinstance(own, CheckpointRecord):
                        leaves.append(digest.digest())
                prev, seq = found, seq + 1
                if number == 1:
                    self._check_day(file, line)
                if seq in vouched:
                    self._meet(seq, found.decode(), number)
        finally:
            self._stand(prev, seq, number)

    def _stand(self, prev: bytes, seq: int, line: int) -> None:
        """Note how far the walk has come, for whoever looks more closely."""
        self._prev, self._walked.seq, self._walked.line = prev.decode(), seq, line

    def _is_unfinished(self, line: bytes) -> bool:
        """Whether a line of the newest file that does not follow on was never acknowledged.

        The head may have moved since the walk began. It counts as it is now, but for a last line
        without its end: that may have been read while it was being written.
        """
        head = read_head(self._chain) if line.endswith(b"\n") else self._head
        if head is None or self._walked.seq < head.head.seq or self._follows_on(intact(line)):
            return False
        self._report.notes.append(
            f"{self._walked.file}:{self._walked.line}: bytes of a record that was never "
            "acknowledged: its writer is at work, or removes them at its next start"
        )
        return True

    def _follows_on(self, record: Record | None) -> TypeGuard[OwnRecord]:
        return is_own(record) and record.prev == self._prev and record.seq == self._walked.seq + 1

    def _own_record(self, line: bytes, following: Iterator[bytes]) -> OwnRecord:
        """The line as a record of the log's own that follows on. Raises Broken."""
        record = intact(line)
        if self._follows_on(record):
            return record
        raise Broken(
            diagnose(
                line,
                file=self._walked.file,
                number=self._walked.line,
                prev=self._prev,
                seq=self._walked.seq + 1,
                following=following,
            )
        )

    def _check_head(self) -> None:
        if self._head is None:
            raise Broken(ChainFault(what="missing", file="head", detail="the head is not there"))
        head = self._head.head
        self._walked.file = "head"
        if head.chain != self._chain.name:
            raise self._walked.broken("misplaced", f"the head is that of the chain {head.chain}")
        if self._keys and not head.key:
            raise self._walked.broken("unsigned", "the head is not signed")
        self._own.check_signature(head, self._head.line)
        if not self._head.has_former and head.seq > 1:
            self._report.notes.append(
                "one of the two heads is torn: by a crash, or by somebody who took the records of "
                "the last batch away; an anchor, or the events on the stream, can tell"
            )
        self._report.keys.clear()  # from here on: the keys of the records, in their order

    def _check_day(self, file: DayFile, line: bytes) -> None:
        record = intact(line)
        day = record.recorded_at[:10] if record else "no day"
        if day != file.day:
            raise self._walked.broken("misplaced", f"its first record is of {day}", line=1)

    def _meet(self, seq: int, found: str, number: int) -> None:
        """Compare a record with what the head, or an anchor, says that it is."""
        self._walked.seq, self._walked.line = seq - 1, number
        if self._head and self._head.head.seq == seq and self._head.head.prev != found:
            raise self._walked.broken("replaced", "the head vouches for another record here")
        if self._anchors.get(seq, found) != found:
            raise self._walked.broken("replaced", "the anchor is that of another record")

    def _check_end(self) -> None:
        assert self._head is not None  # noqa: S101 - `_check_head` has seen it
        report = self._report
        report.records = self._walked.seq + 1 - report.first_seq if self._files else 0
        report.last_seq, report.last_hash = self._walked.seq, self._prev
        head = self._head.head
        if self._walked.seq < head.seq:
            raise Broken(_short_of(head, self._walked, {file.name for file in self._files}))
        if report.keys and not head.key:
            raise Broken(
                ChainFault(what="unsigned", file="head", detail="only the head is not signed")
            )
        beyond = [seq for seq in self._anchors if seq > self._walked.seq]
        if beyond:
            detail = f"record {max(beyond)}, which an anchor names, is not there: the log is older"
            raise Broken(ChainFault(what="truncated", file=self._walked.file, detail=detail))
        if self._goes_on_from not in self._own.buried | {GENESIS} or (
            self._goes_on_from == GENESIS and report.first_seq > 1
        ):
            first = self._files[0].name
            detail = f"records 1 to {report.first_seq - 1} are gone, and no tombstone says so"
            raise Broken(ChainFault(what="missing", file=first, line=1, detail=detail))
        self._note_tail()
        report.notes += self._gaps.notes
        if (fault := self._gaps.fault()) is not None:
            raise Broken(fault)

    def _note_tail(self) -> None:
        """Records behind the head: those of a writer at work are behind the old head only."""
        now = read_head(self._chain)
        if now is not None and self._walked.seq > now.head.seq:
            self._report.notes.append(
                f"{self._walked.seq - now.head.seq} records at the end were never acknowledged: "
                "their writer is at work, or removes them at its next start"
            )


def _short_of(head: Head, walked: Walked, files: Collection[str]) -> ChainFault:
    """The log ends too early."""
    gone = f"the log ends with record {walked.seq}, but record {head.seq} was acknowledged"
    if head.file not in files:
        return ChainFault(what="missing", file=head.file, detail=f"the file is gone: {gone}")
    return ChainFault(
        what="truncated",
        file=walked.file,
        line=walked.line or None,
        detail=f"{gone}: {head.seq - walked.seq} records are missing at its end",
    )
