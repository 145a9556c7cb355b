"""Writing a chain: once each, across crashes, full disks, days and keys."""

import errno
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import ANY

import msgspec
import pytest

from consumers.audit.chain import Chain
from consumers.audit.chain_files import CannotWrite, ChainTaken
from consumers.audit.chain_options import ChainOptions
from consumers.audit.chain_retention import compress_closed
from consumers.audit.day_files import FileDamaged
from consumers.audit.reopening import LogDamaged
from tests.support.audit_log import (
    Clock,
    a_key,
    entries,
    entry,
    lines_of,
    logged,
    verify,
    write,
)
from tests.support.small_disk import small_disk


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def options(clock: Clock) -> ChainOptions:
    return ChainOptions(signer=a_key(), checkpoint_every=8, clock=clock)


def crash(chain: Chain) -> None:
    """End the writer as SIGKILL does: nothing more is written, the lock is gone."""
    chain.abandon()


def test_a_record_holds_the_event_as_it_stands_on_the_stream(
    tmp_path: Path, options: ChainOptions
) -> None:
    chain = Chain.open(tmp_path, "events", 3, options)
    chain.append([entry(1)])
    chain.close()
    begun, record, checkpoint = map(msgspec.json.decode, lines_of(tmp_path / "events-3"))
    assert record == {
        "kind": "event",
        "prev": begun["hash"],
        "seq": 2,
        "recorded_at": "2026-11-20T12:00:00.000Z",
        "stream": "events",
        "partition": 3,
        "entry": entry(1).id,
        "event": msgspec.json.decode(entry(1).raw),
        "hash": ANY,
    }
    assert checkpoint["prev"] == record["hash"]


def test_an_event_with_line_ends_is_one_line(tmp_path: Path, options: ChainOptions) -> None:
    given = entry(1)
    pretty = msgspec.structs.replace(given, raw=msgspec.json.format(given.raw, indent=2))
    chain = Chain.open(tmp_path, "events", 0, options)
    chain.append([pretty])
    chain.close()
    report = verify(chain.directory)
    assert (report.fault, report.events) == (None, 1)
    assert msgspec.json.decode(lines_of(chain.directory)[1])["event"] == msgspec.json.decode(
        given.raw
    )


def test_appending_again_changes_nothing(tmp_path: Path, options: ChainOptions) -> None:
    chain = Chain.open(tmp_path, "events", 0, options)
    assert chain.append([*entries(1, 20), *entries(5, 10)]) == 20
    assert chain.append(entries(10, 25)) == 5
    assert chain.append(entries(1, 25)) == 0
    chain.close()
    assert logged(chain.directory) == [given.id for given in entries(1, 25)]


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


def test_old_events_given_again_make_no_second_record(
    tmp_path: Path, options: ChainOptions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.audit.seen_entries._REMEMBERED", 5)
    chain = Chain.open(tmp_path, "events", 0, options)
    for first in (1, 21, 41):
        chain.append([given for given in entries(first, first + 19) if given != entry(7)])
        clock.turn(days=1)
    batches = [entries(first, first + 9) for first in range(1, 61, 10)]
    # Entry 7 was never logged (a dead letter, say): it is told from those that were.
    assert [chain.append(batch) for batch in batches] == [1, 0, 0, 0, 0, 0]
    assert chain.append(entries(1, 60)) == 0
    chain.close()
    assert sorted(logged(chain.directory)) == [given.id for given in entries(1, 60)]


def test_a_damaged_file_leaves_no_doubt_about_what_is_new(
    tmp_path: Path, options: ChainOptions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.audit.seen_entries._REMEMBERED", 5)
    chain = Chain.open(tmp_path, "events", 0, options)
    chain.append(entries(1, 20))
    clock.turn(days=1)
    chain.append(entries(21, 40))
    compress_closed(chain.directory, newest_day=chain.position.day)
    packed = chain.directory / "2026-11-20.jsonl.gz"
    whole = packed.read_bytes()
    packed.write_bytes(whole[:-100])
    with pytest.raises(FileDamaged, match="compressed data is damaged"):
        chain.append(entries(3, 6))
    packed.write_bytes(whole)
    assert chain.append(entries(3, 6)) == 0
    chain.close()


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


def test_a_day_ends_with_a_checkpoint_and_the_chain_goes_on_in_the_next_file(
    tmp_path: Path, options: ChainOptions, clock: Clock
) -> None:
    chain = Chain.open(tmp_path, "events", 0, options)
    chain.append(entries(1, 3))
    clock.turn(hours=12)  # midnight
    chain.append(entries(4, 6))
    last = (chain.directory / "2026-11-20.jsonl").read_bytes().splitlines()[-1]
    first = (chain.directory / "2026-11-21.jsonl").read_bytes().splitlines()[0]
    chain.close()
    assert msgspec.json.decode(last)["kind"] == "checkpoint"
    assert msgspec.json.decode(first)["prev"] == msgspec.json.decode(last)["hash"]


def test_a_clock_that_is_set_back_keeps_the_newest_file(
    tmp_path: Path, options: ChainOptions, clock: Clock
) -> None:
    chain = Chain.open(tmp_path, "events", 0, options)
    clock.turn(days=-3)
    chain.append(entries(1, 3))
    chain.close()
    report = verify(chain.directory)
    assert (report.fault, report.files, report.first_day) == (None, 1, "2026-11-20")


def test_a_second_writer_is_refused(tmp_path: Path, options: ChainOptions) -> None:
    chain = Chain.open(tmp_path, "events", 0, options)
    with pytest.raises(ChainTaken):
        Chain.open(tmp_path, "events", 0, options)
    Chain.open(tmp_path, "events", 1, options).close()
    chain.close()
    with pytest.raises(ChainTaken):
        chain.append([entry(1)])
    Chain.open(tmp_path, "events", 0, options).close()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda d: (d / "head").unlink(), "`head` is missing"),
        (lambda d: (d / "2026-11-21.jsonl").unlink(), "2026-11-21.jsonl, .* is missing"),
        (lambda d: os.truncate(d / "2026-11-21.jsonl", 500), "ends before record"),
        (
            lambda d: (d / "2026-11-21.jsonl").write_bytes(
                (d / "2026-11-21.jsonl").read_bytes().replace(b"acme", b"acne", 1)
            ),
            "was changed",
        ),
    ],
    ids=["head", "file", "end", "byte"],
)
def test_a_damaged_log_is_not_written_to(tmp_path: Path, damage: object, said: str) -> None:
    assert callable(damage)
    key = a_key()
    chain = write(tmp_path, key, entries(1, 10), entries(11, 20))
    damage(chain)
    before = {path.name: path.read_bytes() for path in chain.iterdir()}
    with pytest.raises(LogDamaged, match=said):
        Chain.open(tmp_path, "events", 0, ChainOptions(signer=key))
    assert {path.name: path.read_bytes() for path in chain.iterdir()} == before


def test_a_log_of_another_key_is_not_written_to(tmp_path: Path) -> None:
    write(tmp_path, a_key(), entries(1, 10))
    for options in (ChainOptions(), ChainOptions(signer=a_key())):
        with pytest.raises(LogDamaged, match="not by ours"):
            Chain.open(tmp_path, "events", 0, options)


def test_a_log_stripped_of_its_signatures_is_not_written_to(tmp_path: Path) -> None:
    write(tmp_path, None, entries(1, 10))
    with pytest.raises(LogDamaged, match="without a key"):
        Chain.open(tmp_path, "events", 0, ChainOptions(signer=a_key()))


def test_a_change_of_key_is_announced_and_recorded(tmp_path: Path, clock: Clock) -> None:
    old, new = a_key(), a_key()
    write(tmp_path, old, entries(1, 10))
    options = ChainOptions(signer=new, former_keys=(old.public_key,), clock=clock)
    chain = Chain.open(tmp_path, "events", 0, options)
    chain.append(entries(11, 20))
    chain.close()
    report = verify(chain.directory, old, new)
    assert (report.fault, report.keys) == (None, [old.public_key, new.public_key])
    fault = verify(chain.directory, new).fault
    assert fault is not None
    assert fault.what == "forged"


def test_signing_can_begin_later(tmp_path: Path, clock: Clock) -> None:
    key = a_key()
    write(tmp_path, None, entries(1, 10))
    options = ChainOptions(signer=key, former_keys=("unsigned",), clock=clock)
    chain = Chain.open(tmp_path, "events", 0, options)
    chain.append(entries(11, 20))
    chain.close()
    report = verify(chain.directory, key)
    assert (report.fault, report.checkpoints, report.signed_count) == (None, 3, 1)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "small", size="512k") as disk:
        yield disk


def test_a_full_disk_stops_the_log_and_loses_nothing(
    full_disk: Path, options: ChainOptions
) -> None:
    ballast = full_disk / "ballast"
    ballast.write_bytes(b"x" * 390_000)
    chain = Chain.open(full_disk, "events", 0, options)
    batches = [entries(first, first + 49) for first in range(1, 451, 50)]
    written = 0
    with pytest.raises(CannotWrite) as full:
        for batch in batches:
            chain.append(batch)
            written += 1
    assert isinstance(full.value.__cause__, OSError)
    assert full.value.__cause__.errno == errno.ENOSPC
    assert 0 < written < len(batches)
    before = lines_of(chain.directory)
    for _ in range(3):
        with pytest.raises(CannotWrite):
            chain.append(batches[written])
        assert lines_of(chain.directory) == before, "not even a note takes space"
    ballast.unlink()
    for batch in batches[written:]:
        assert chain.append(batch) == len(batch)
    chain.close()
    assert logged(chain.directory) == [given.id for batch in batches for given in batch]
    report = verify(chain.directory)
    assert (report.fault, report.notes) == (None, [])


def test_a_limit_on_file_sizes_stops_the_log_and_loses_nothing(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import resource, sys
        from pathlib import Path
        from consumers.audit.chain import CannotWrite, Chain
        from consumers.audit.chain_options import ChainOptions
        from tests.support.audit_log import entries
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        chain = Chain.open(Path(sys.argv[1]), "events", 0, ChainOptions(checkpoint_every=8))
        chain.append(entries(1, 50))
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
        try:
            chain.append(entries(51, 100))
        except CannotWrite as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        print(chain.append(entries(51, 100)))
        chain.close()
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [f"{tmp_path}/events-0: File too large", "50"]
    assert logged(tmp_path / "events-0") == [given.id for given in entries(1, 100)]
    assert verify(tmp_path / "events-0").fault is None
