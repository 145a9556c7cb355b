"""Closed files are compressed and removed, and the chain still verifies."""

from datetime import date
from pathlib import Path

import pytest

from consumers.audit.chain import Chain
from consumers.audit.chain_options import ChainOptions
from consumers.audit.chain_retention import compress_closed, expired, remove_expired
from consumers.audit.day_files import DayFile, day_files
from consumers.audit.records import seal
from tests.support.audit_log import Clock, a_key, entries, logged, tamper, verify

KEY = a_key()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def chain(tmp_path: Path, clock: Clock) -> Chain:
    """Four days of ten events; the last is today."""
    options = ChainOptions(signer=KEY, checkpoint_every=8, clock=clock)
    chain = Chain.open(tmp_path, "events", 0, options)
    for day in range(4):
        chain.append(entries(10 * day + 1, 10 * day + 10))
        clock.turn(days=1)
    clock.turn(days=-1)
    return chain


def names(chain: Chain) -> list[str]:
    return sorted(path.name for path in chain.directory.glob("20*"))


def test_closed_files_are_compressed_and_the_newest_is_not(chain: Chain) -> None:
    assert compress_closed(chain.directory, newest_day=chain.position.day) == 3
    assert names(chain) == [
        "2026-11-20.jsonl.gz",
        "2026-11-21.jsonl.gz",
        "2026-11-22.jsonl.gz",
        "2026-11-23.jsonl",
    ]
    assert chain.append(entries(5, 45)) == 5, "what is compressed is still known"
    chain.close()
    assert verify(chain.directory, KEY).fault is None
    assert logged(chain.directory) == [given.id for given in entries(1, 45)]


def test_a_crash_while_compressing_leaves_a_whole_log(chain: Chain) -> None:
    (chain.directory / "2026-11-20.jsonl.part").write_bytes(b"half of it")
    plain = (chain.directory / "2026-11-21.jsonl").read_bytes()
    compress_closed(chain.directory, newest_day=chain.position.day)
    (chain.directory / "2026-11-21.jsonl").write_bytes(plain)  # not removed yet
    assert verify(chain.directory, KEY).fault is None
    assert compress_closed(chain.directory, newest_day=chain.position.day) == 1
    assert not (chain.directory / "2026-11-21.jsonl").exists()
    chain.close()
    assert verify(chain.directory, KEY).fault is None


@pytest.mark.parametrize(("kept_days", "gone"), [(0, 0), (1, 2), (2, 1), (3, 0), (400, 0)])
def test_files_expire_after_full_days(kept_days: int, gone: int) -> None:
    files = [DayFile(Path(f"2026-11-{day}.jsonl"), f"2026-11-{day}") for day in (20, 21, 22, 23)]
    found = expired(files, today=date(2026, 11, 23), kept_days=kept_days)
    assert [file.day for file in found] == [f"2026-11-{20 + day}" for day in range(gone)]


def test_the_newest_file_never_expires() -> None:
    assert expired([DayFile(Path("x"), "2020-01-01")], today=date(2026, 1, 1), kept_days=1) == []


def test_a_tombstone_vouches_for_what_retention_removed(chain: Chain, clock: Clock) -> None:
    compress_closed(chain.directory, newest_day="2026-11-21")
    assert remove_expired(chain, today=clock.now.date(), kept_days=1) == 2
    assert names(chain) == ["2026-11-22.jsonl", "2026-11-23.jsonl"]
    report = verify(chain.directory, KEY)
    assert (report.fault, report.events, report.files) == (None, 20, 2)
    assert report.first_seq > 20
    chain.append(entries(41, 50))
    clock.turn(days=2)
    chain.append(entries(51, 60))
    assert remove_expired(chain, today=clock.now.date(), kept_days=1) == 2
    chain.close()
    assert verify(chain.directory, KEY).fault is None


def test_a_crash_between_tombstone_and_removal_leaves_a_whole_log(
    chain: Chain, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink

    def fail_at_the_second(path: Path, *, missing_ok: bool = False) -> None:
        if path.name == "2026-11-21.jsonl":
            raise OSError("the machine stopped here")
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", fail_at_the_second)
        with pytest.raises(OSError, match="stopped here"):
            remove_expired(chain, today=clock.now.date(), kept_days=1)
    assert names(chain)[0] == "2026-11-21.jsonl"
    assert verify(chain.directory, KEY).fault is None
    assert remove_expired(chain, today=clock.now.date(), kept_days=1) == 1
    chain.close()
    assert verify(chain.directory, KEY).fault is None


def test_one_more_file_than_the_tombstone_names_is_missed(chain: Chain, clock: Clock) -> None:
    remove_expired(chain, today=clock.now.date(), kept_days=1)
    chain.close()
    (chain.directory / "2026-11-22.jsonl").unlink()
    fault = verify(chain.directory, KEY).fault
    assert fault is not None
    assert (fault.what, fault.file, fault.line) == ("missing", "2026-11-23.jsonl", 1)


def test_a_tombstone_cannot_be_made_without_the_key(chain: Chain, clock: Clock) -> None:
    remove_expired(chain, today=clock.now.date(), kept_days=2)
    chain.close()
    newest = day_files(chain.directory)[-1].path
    real = newest.read_bytes()

    def forge(lines: list[bytes]) -> list[bytes]:
        at = next(n for n, line in enumerate(lines) if b'"kind":"tombstone"' in line)
        body = lines[at][: lines[at].rindex(b',"hash"')].replace(b'"kept_days":2', b'"kept_days":1')
        return [*lines[:at], seal(body)[0], *lines[at + 1 :]]

    tamper(newest, forge)
    assert newest.read_bytes() != real
    fault = verify(chain.directory, KEY).fault
    assert fault is not None
    assert fault.what == "forged"
