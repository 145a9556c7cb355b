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
