"""The spool's file: order, bounds, corruption, several processes."""

import fcntl
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zlib import crc32

import msgspec
import pytest
from structlog.testing import capture_logs

from gateway.publishing.errors import SpoolUnavailable
from gateway.publishing.spool.batch_file import SpooledBatch, SpoolFile
from gateway.publishing.spool.corrupt_file import salvage
from tests.support.program import piped


def batch(number: int, *, partition: int = 0, size: int = 10) -> SpooledBatch:
    return SpooledBatch(partition, "producer", number, [b"%05d" % number + bytes(size)])


def sequences(file: SpoolFile, partition: int = 0) -> list[int]:
    return [found.sequence for found in file.oldest(partition, 10_000)]


def test_batches_come_back_in_order_and_whole(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path, max_bytes=1 << 20)
    file.append([SpooledBatch(0, "p", 7, [b"a", b"\x00\xff"])])
    file.append([batch(8), batch(1, partition=3)])

    first, second = file.oldest(0, 10)

    assert (first.producer, first.sequence, first.events) == ("p", 7, [b"a", b"\x00\xff"])
    assert second.sequence == 8
    assert sorted(file.partitions()) == [0, 3]
    assert file.totals()[0] == 4
    file.close()


def test_removed_batches_are_gone_for_a_second_opener_too(tmp_path: Path) -> None:
    file, other = (SpoolFile(tmp_path, max_bytes=1 << 20) for _ in range(2))
    file.append([batch(1), batch(2)])
    assert other.has_backlog(0)

    file.remove([found.position for found in file.oldest(0, 10)])

    assert not other.has_backlog(0)
    assert file.totals() == (0, 0, 0)
    file.close()
    other.close()


def test_who_writes_waits_for_its_turn_and_who_reads_does_not(tmp_path: Path) -> None:
    file, other = (SpoolFile(tmp_path, max_bytes=1 << 20) for _ in range(2))
    with ThreadPoolExecutor(1) as thread, (tmp_path / "spool.turn").open("rb") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # as another process that writes
        appending = thread.submit(file.append, [batch(1)])
        with pytest.raises(TimeoutError):
            appending.result(timeout=0.1)
        assert not other.has_backlog(0)
        assert other.has_room()

        fcntl.flock(turn, fcntl.LOCK_UN)
        appending.result(timeout=10)

    assert sequences(other) == [1]
    file.close()
    other.close()


def test_a_full_spool_says_so_and_keeps_what_it_has(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path, max_bytes=200_000)
    written = 0
    with pytest.raises(SpoolUnavailable, match="^full"):
        while written < 1000:
            file.append([batch(written, size=5000)])
            written += 1

    assert 10 < written < 50
    assert sequences(file) == list(range(written))
    assert (tmp_path / "spool.sqlite3").stat().st_size <= 200_000
    file.remove([found.position for found in file.oldest(0, 5)])
    file.append([batch(written)])
    file.close()


def test_what_is_read_at_once_is_bounded_in_events_but_never_nothing(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path, max_bytes=1 << 20)
    file.append([SpooledBatch(0, "p", n, [b"x"] * 3) for n in range(1, 5)])

    found = {limit: [one.sequence for one in file.oldest(0, limit)] for limit in (1, 3, 8, 9, 99)}

    assert found == {1: [1], 3: [1], 8: [1, 2], 9: [1, 2, 3], 99: [1, 2, 3, 4]}
    file.close()


def test_the_totals_are_those_of_what_waits(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path, max_bytes=1 << 20)
    file.append([batch(n, partition=n % 7, size=n) for n in range(50)])
    file.remove([one.position for one in (*file.oldest(0, 3), *file.all_of(5))])
    file.append([SpooledBatch(9, "p", 1, [b"a", b"b"])])

    raw = sqlite3.connect(tmp_path / "spool.sqlite3")
    counted = raw.execute(
        "SELECT sum(event_count), sum(length(events)), min(spooled_at_ms) FROM batch"
    ).fetchone()
    raw.close()

    assert file.totals() == counted
    assert file.partitions() == [0, 1, 2, 3, 4, 6, 9]
    file.close()


def test_an_empty_spool_gives_its_disk_space_back(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path, max_bytes=1 << 26)
    file.append([batch(n, size=5000) for n in range(3000)])
    path = tmp_path / "spool.sqlite3"
    file.remove([one.position for one in file.all_of(0)[1:]])

    file.shrink()
    assert path.stat().st_size > 10_000_000  # something waits
    file.remove([one.position for one in file.all_of(0)])
    for _ in range(3):
        file.shrink()

    assert path.stat().st_size < 100_000
    file.append([batch(1)])
    assert sequences(file) == [1]
    file.close()


@pytest.mark.parametrize(
    "damage",
    [b"this is not a database at all" * 500, b"SQLite format 3\x00" + bytes(8000)],
    ids=["foreign file", "empty pages"],
)
def test_a_corrupt_file_is_set_aside_and_not_deleted(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "spool.sqlite3").write_bytes(damage)

    file = SpoolFile(tmp_path, max_bytes=1 << 20)

    file.append([batch(1)])
    assert sequences(file) == [1]
    (aside,) = tmp_path.glob("spool.sqlite3.corrupt-*")
    assert aside.read_bytes() == damage
    file.close()


def test_damage_while_in_use_is_noticed_by_every_user_of_the_file(tmp_path: Path) -> None:
    file, other = (SpoolFile(tmp_path, max_bytes=1 << 20) for _ in range(2))
    file.append([batch(1)])
    raw = sqlite3.connect(tmp_path / "spool.sqlite3")
    raw.execute("UPDATE batch SET events = x'00'")
    raw.commit()
    raw.close()

    assert file.oldest(0, 10) == []
    other.append([batch(2)])

    assert sequences(file) == [2]
    assert [p for p in tmp_path.glob("*.corrupt-*") if not p.name.endswith(("-wal", "-shm"))]
    file.close()
    other.close()


FORMAT_1 = """
    PRAGMA journal_mode = WAL;
    CREATE TABLE batch (
        position      INTEGER PRIMARY KEY AUTOINCREMENT,
        partition     INTEGER NOT NULL,
        producer      TEXT    NOT NULL,
        sequence      INTEGER NOT NULL,
        spooled_at_ms INTEGER NOT NULL,
        event_count   INTEGER NOT NULL,
        events        BLOB    NOT NULL,
        checksum      INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX batch_by_partition ON batch (partition, position);
    PRAGMA user_version = {version};
"""


def file_of_version(directory: Path, version: int, *sequences: int) -> None:
    """A file as the first version of the gateway made it, and named its format."""
    connection = sqlite3.connect(directory / "spool.sqlite3")
    connection.executescript(FORMAT_1.format(version=version))
    for sequence in sequences:
        blob = msgspec.msgpack.encode([b"first", b"second"])
        connection.execute(
            "INSERT INTO batch (partition, producer, sequence, spooled_at_ms, event_count, events,"
            " checksum) VALUES (3, 'p', ?, 1766000000000, 2, ?, ?)",
            (sequence, blob, crc32(blob)),
        )
    connection.commit()
    connection.close()


def asides(directory: Path) -> list[Path]:
    return sorted(directory.glob("spool.sqlite3.*-*"))


def test_what_waits_in_a_file_of_the_first_format_is_taken_over(tmp_path: Path) -> None:
    file_of_version(tmp_path, 1, 7, 8)

    file = SpoolFile(tmp_path, max_bytes=1 << 20)

    assert [(one.producer, one.sequence, one.events) for one in file.oldest(3, 10)] == [
        ("p", 7, [b"first", b"second"]),
        ("p", 8, [b"first", b"second"]),
    ]
    assert file.totals() == (
        4,
        2 * len(msgspec.msgpack.encode([b"first", b"second"])),
        1766000000000,
    )
    file.append([batch(9, partition=3)])
    assert sequences(file, 3) == [7, 8, 9]
    file.remove([one.position for one in file.oldest(3, 10)])
    assert file.totals() == (0, 0, 0)
    file.close()
    assert asides(tmp_path) == []


def test_processes_that_take_over_a_file_at_once_do_it_once(tmp_path: Path) -> None:
    file_of_version(tmp_path, 1, 1)
    with ThreadPoolExecutor(4) as threads:
        files = list(threads.map(lambda _: SpoolFile(tmp_path, max_bytes=1 << 20), range(4)))

    assert [file.totals()[0] for file in files] == [2] * 4
    for file in files:
        file.close()


@pytest.mark.parametrize("version", [1, 99])
def test_an_empty_file_of_another_version_is_no_hindrance(tmp_path: Path, version: int) -> None:
    file_of_version(tmp_path, version)

    file = SpoolFile(tmp_path, max_bytes=1 << 20)
    file.append([batch(1)])

    assert sequences(file) == [1]
    file.close()
    assert asides(tmp_path) == []


def test_a_file_that_cannot_be_read_is_set_aside_and_told_of_once(tmp_path: Path) -> None:
    file_of_version(tmp_path, 99, 7)
    with capture_logs() as logs:
        file, other = (SpoolFile(tmp_path, max_bytes=1 << 20) for _ in range(2))
    file.append([batch(1)])

    assert sequences(other) == [1]
    (aside,) = asides(tmp_path)
    assert aside.name.startswith("spool.sqlite3.other-version-")
    (line,) = [line for line in logs if line["log_level"] == "error"]
    assert line["file"] == str(aside)
    assert [one.events for one in salvage(aside).batches] == [[b"first", b"second"]]
    file.close()
    other.close()


APPENDER = """
import sys
from pathlib import Path
from gateway.publishing.spool.batch_file import SpooledBatch, SpoolFile
from tests.support.program import piped
file = SpoolFile(Path(sys.argv[1]), max_bytes=1 << 24)
number = len(file.oldest(0, 100_000))
while True:
    file.append([SpooledBatch(0, "p", number, [b"x" * 500] * 3)])
    print(number, flush=True)
    number += 1
"""


def test_a_process_killed_while_it_appends_loses_nothing_that_it_confirmed(
    tmp_path: Path,
) -> None:
    for _ in range(5):
        with piped([sys.executable, "-c", APPENDER, str(tmp_path)]) as process:
            assert process.stdout is not None
            confirmed = [int(process.stdout.readline()) for _ in range(20)]
            process.kill()
            confirmed += [int(line) for line in process.stdout.read().split()]

        file = SpoolFile(tmp_path, max_bytes=1 << 24)
        found = sequences(file)
        file.close()

        assert found[: confirmed[-1] + 1] == list(range(confirmed[-1] + 1))
        assert len(found) - (confirmed[-1] + 1) <= 1  # one may be stored and not confirmed
