"""A chain whose writer was killed: what is cut off, what is noted, and what is written once."""

from pathlib import Path

import pytest

from consumers.audit.chain import Chain
from consumers.audit.chain_options import ChainOptions
from tests.support.audit_log import (
    Clock,
    entries,
    entry,
    logged,
    verify,
)


def crash(chain: Chain) -> None:
    """End the writer as SIGKILL does: nothing more is written, the lock is gone."""
    chain.abandon()


def test_redelivery_after_a_crash_makes_no_second_record(
    tmp_path: Path, options: ChainOptions
) -> None:
    chain = Chain.open(tmp_path, "events", 0, options)
    chain.append(entries(1, 20))
    crash(chain)
    again = Chain.open(tmp_path, "events", 0, options)
    assert again.append(entries(11, 30)) == 10
    again.close()
    assert logged(again.directory) == [given.id for given in entries(1, 30)]
    assert verify(again.directory).fault is None


@pytest.mark.parametrize("garbage", [b'{"kind":"event","prev":"00', b"\0" * 5000, b"x\ny\nz"])
def test_a_torn_end_is_cut_off_and_noted(
    tmp_path: Path, options: ChainOptions, garbage: bytes
) -> None:
    chain = Chain.open(tmp_path, "events", 0, options)
    chain.append(entries(1, 10))
    crash(chain)
    path = chain.directory / "2026-11-20.jsonl"
    with path.open("ab") as file:
        file.write(garbage)
    again = Chain.open(tmp_path, "events", 0, options)
    again.append(entries(11, 12))
    again.close()
    report = verify(again.directory)
    assert report.fault is None
    (note,) = report.notes
    assert note.startswith(f"2026-11-20.jsonl:13: {len(garbage)} bytes that were never ack")
    assert logged(again.directory) == [given.id for given in entries(1, 12)]


@pytest.mark.parametrize("garbage", [b'{"kind":"event"', b"\0" * 5000, b"x\ny\nz"])
def test_a_torn_end_is_a_note_and_no_fault_before_the_writer_is_back(
    tmp_path: Path, options: ChainOptions, garbage: bytes
) -> None:
    chain = Chain.open(tmp_path, "events", 0, options)
    chain.append(entries(1, 3))
    crash(chain)
    with (chain.directory / "2026-11-20.jsonl").open("ab") as file:
        file.write(garbage)
    report = verify(chain.directory)
    assert (report.fault, report.events) == (None, 3)
    assert report.notes[0].startswith("2026-11-20.jsonl:5: bytes of a record that was never ack")


def test_whole_records_that_were_never_acknowledged_are_written_once(
    tmp_path: Path, options: ChainOptions
) -> None:
    chain = Chain.open(tmp_path, "events", 0, options)
    chain.append(entries(1, 3))
    head = (chain.directory / "head").read_bytes()
    chain.append(entries(4, 6))
    crash(chain)  # after the records were written, before the head was
    (chain.directory / "head").write_bytes(head)
    assert "3 records at the end were never acknowledged" in verify(chain.directory).notes[0]
    again = Chain.open(tmp_path, "events", 0, options)
    assert again.append(entries(4, 6)) == 3
    again.close()
    assert logged(again.directory) == [given.id for given in entries(1, 6)]
    assert verify(again.directory).fault is None


@pytest.mark.parametrize("slot", [0, 1])
def test_a_head_that_was_cut_short_leaves_the_one_before(
    tmp_path: Path, options: ChainOptions, slot: int
) -> None:
    chain = Chain.open(tmp_path, "events", 0, options)
    chain.append(entries(1, 3))
    if slot:
        chain.append(entries(4, 6))
    before = (chain.directory / "head").read_bytes()
    chain.append(entries(7, 9))
    crash(chain)
    after = (chain.directory / "head").read_bytes()
    changed = next(n for n in range(2048) if before[n] != after[n]) // 1024
    half = changed * 1024 + 300
    torn = after[:half] + before[half : (changed + 1) * 1024]
    path = chain.directory / "head"
    path.write_bytes(before[: changed * 1024] + torn[changed * 1024 :] + before[len(torn) :])
    again = Chain.open(tmp_path, "events", 0, options)
    assert again.append(entries(7, 9)) == 3
    again.close()
    assert verify(again.directory).fault is None


def test_a_crash_before_the_first_head_begins_anew(tmp_path: Path, options: ChainOptions) -> None:
    chain = Chain.open(tmp_path, "events", 0, options)
    crash(chain)
    (chain.directory / "head").write_bytes(b"")
    again = Chain.open(tmp_path, "events", 0, options)
    again.append([entry(1)])
    again.close()
    assert verify(again.directory).fault is None


def test_a_crash_in_the_change_of_a_day_leaves_nothing_of_the_new_day(
    tmp_path: Path, options: ChainOptions, clock: Clock
) -> None:
    chain = Chain.open(tmp_path, "events", 0, options)
    chain.append(entries(1, 3))
    crash(chain)
    (chain.directory / "2026-11-21.jsonl").write_bytes(b'{"kind":"event","prev"')
    clock.turn(days=1)
    again = Chain.open(tmp_path, "events", 0, options)
    assert again.append(entries(1, 5)) == 2
    again.close()
    report = verify(again.directory)
    assert (report.fault, report.files, report.events) == (None, 2, 5)
