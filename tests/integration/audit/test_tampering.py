"""Whatever is done to the files of a log, `verify` names the first record that it was done to."""

import gzip
import random
from pathlib import Path

import pytest

from consumers.audit.chain_head import read_head
from consumers.audit.chain_retention import compress_closed
from consumers.audit.records import hash_in, seal
from consumers.audit.signing import SigningKey
from tests.integration.audit.whole_chain import FIRST, SECOND, THIRD, chain, found, key
from tests.support.audit_log import entries, tamper, verify, write

__all__ = ["chain", "key"]


def test_an_untouched_log_is_whole(chain: Path, key: SigningKey) -> None:
    report = verify(chain, key)
    assert report.fault is None
    assert (report.events, report.files) == (30, 3)
    assert report.records == report.last_seq
    assert report.checkpoints == report.signed_count == 6
    assert report.keys == [key.public_key]
    assert report.notes == []


def test_a_changed_byte_is_named(chain: Path, key: SigningKey) -> None:
    tamper(
        chain / SECOND,
        lambda lines: [*lines[:4], lines[4].replace(b"acme", b"acne"), *lines[5:]],
    )
    assert found(chain, key) == ("changed", SECOND, 5)


@pytest.mark.parametrize("position", [0, 20, 90, 300, -70, -10, -3, -2, -1])
def test_every_byte_of_a_line_counts(chain: Path, key: SigningKey, position: int) -> None:
    def flip(lines: list[bytes]) -> list[bytes]:
        line = bytearray(lines[4])
        line[position] ^= 1
        return [*lines[:4], bytes(line), *lines[5:]]

    tamper(chain / SECOND, flip)
    assert found(chain, key)[1:] == (SECOND, 5)


def test_a_removed_line_is_missing(chain: Path, key: SigningKey) -> None:
    tamper(chain / SECOND, lambda lines: lines[:4] + lines[5:])
    assert found(chain, key) == ("missing", SECOND, 5)


def test_swapped_lines_are_reordered(chain: Path, key: SigningKey) -> None:
    tamper(chain / FIRST, lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]])
    assert found(chain, key) == ("reordered", FIRST, 3)


def test_a_repeated_line_is_named(chain: Path, key: SigningKey) -> None:
    tamper(chain / FIRST, lambda lines: [*lines[:3], lines[2], *lines[3:]])
    assert found(chain, key) == ("repeated", FIRST, 4)


def test_a_record_with_a_new_hash_does_not_fit_its_neighbour(chain: Path, key: SigningKey) -> None:
    def replace(lines: list[bytes]) -> list[bytes]:
        line = seal(lines[2][: lines[2].rindex(b',"hash"')].replace(b"acme", b"acne"))[0]
        return [*lines[:2], line, *lines[3:]]

    tamper(chain / FIRST, replace)
    assert found(chain, key) == ("replaced", FIRST, 4)


@pytest.mark.parametrize("cut", [1, 5, 200])
def test_a_file_cut_in_the_middle_of_a_record_is_truncated(
    chain: Path, key: SigningKey, cut: int
) -> None:
    path = chain / THIRD
    path.write_bytes(path.read_bytes()[:-cut])
    assert found(chain, key) == ("truncated", THIRD, 12)


def test_an_older_file_cut_in_the_middle_of_a_record_is_truncated(
    chain: Path, key: SigningKey
) -> None:
    path = chain / FIRST
    path.write_bytes(path.read_bytes()[:-5])
    assert found(chain, key) == ("truncated", FIRST, 13)


@pytest.mark.parametrize("count", [1, 2, 5, 11])
def test_removed_last_lines_are_missed(chain: Path, key: SigningKey, count: int) -> None:
    tamper(chain / THIRD, lambda lines: lines[:-count])
    assert found(chain, key) == ("truncated", THIRD, 12 - count)


def test_removed_lines_behind_the_last_checkpoint_are_missed(
    tmp_path: Path, key: SigningKey
) -> None:
    chain = write(tmp_path, key, entries(1, 10), every=8)
    tamper(chain / FIRST, lambda lines: lines[:9])  # ends with a checkpoint, signed and right
    assert found(chain, key) == ("truncated", FIRST, 9)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (FIRST, ("missing", SECOND, 1)),
        (SECOND, ("missing", THIRD, 1)),
        (THIRD, ("missing", THIRD, None)),
    ],
)
def test_a_removed_file_is_missed(
    chain: Path, key: SigningKey, name: str, expected: tuple[str, str, int | None]
) -> None:
    (chain / name).unlink()
    assert found(chain, key) == expected


def test_a_removed_line_at_the_end_of_a_day_is_missed(chain: Path, key: SigningKey) -> None:
    tamper(chain / FIRST, lambda lines: lines[:-1])
    assert found(chain, key) == ("missing", SECOND, 1)


def test_an_emptied_directory_is_missed(chain: Path, key: SigningKey) -> None:
    for path in chain.glob("*.jsonl"):
        path.unlink()
    assert found(chain, key) == ("missing", THIRD, None)


def test_a_removed_head_is_missed(chain: Path, key: SigningKey) -> None:
    (chain / "head").unlink()
    assert found(chain, key) == ("missing", "head", None)


def test_a_renamed_file_is_misplaced(chain: Path, key: SigningKey) -> None:
    (chain / FIRST).rename(chain / "2026-11-19.jsonl")
    assert found(chain, key) == ("misplaced", "2026-11-19.jsonl", 1)


def test_the_chain_of_another_partition_is_misplaced(
    chain: Path, key: SigningKey, tmp_path: Path
) -> None:
    chain.rename(tmp_path / "events-1")
    assert found(tmp_path / "events-1", key) == ("misplaced", "head", None)


def test_damage_to_a_compressed_file_is_named(chain: Path, key: SigningKey) -> None:
    compress_closed(chain, newest_day="2026-11-22")
    assert verify(chain, key).fault is None
    path = chain / f"{FIRST}.gz"
    packed = bytearray(path.read_bytes())
    packed[len(packed) // 2] ^= 0xFF
    path.write_bytes(packed)
    assert found(chain, key)[:2] == ("changed", FIRST)
    path.write_bytes(packed[: len(packed) // 2])
    assert found(chain, key)[:2] == ("changed", FIRST)


def test_a_changed_record_in_a_compressed_file_is_named(chain: Path, key: SigningKey) -> None:
    compress_closed(chain, newest_day="2026-11-22")
    path = chain / f"{FIRST}.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"/3", b"/4", 1)))
    assert found(chain, key) == ("changed", FIRST, 4)


def test_every_line_of_a_log_gives_its_hash(chain: Path) -> None:
    for path in chain.glob("*.jsonl"):
        assert all(hash_in(line) for line in path.read_bytes().splitlines(keepends=True))


def test_a_last_batch_that_is_taken_away_with_its_head_leaves_a_note(
    chain: Path, key: SigningKey
) -> None:
    signed = read_head(chain)
    assert signed is not None
    slots = (chain / "head").read_bytes()
    latest = slots.index(signed.line)
    (chain / "head").write_bytes(slots.replace(slots[latest : latest + 1024], b" " * 1024))
    tamper(chain / THIRD, lambda lines: lines[:-1])  # the closing checkpoint was a batch
    report = verify(chain, key)
    assert report.fault is None
    assert report.notes[0].startswith("one of the two heads is torn")


def test_any_changed_byte_anywhere_is_noticed(chain: Path, key: SigningKey) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    for _ in range(300):
        path = chance.choice(sorted(chain.glob("*.jsonl")))
        whole = path.read_bytes()
        changed = bytearray(whole)
        position = chance.randrange(len(whole))
        changed[position] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        fault = verify(chain, key).fault
        path.write_bytes(whole)
        assert fault is not None, (path.name, position)
        # A line end that is no more makes one line of two; all else is on the line it is on.
        assert (fault.file, fault.line) == (path.name, whole[:position].count(b"\n") + 1)
