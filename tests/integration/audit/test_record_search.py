"""One event is found by the time in its id, and by nothing else if it is not there."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from consumers.audit.chain import Chain
from consumers.audit.chain_options import ChainOptions
from consumers.audit.day_files import day_files
from consumers.audit.proofs import check, prove
from consumers.audit.record_search import RecordQuery, search
from consumers.audit.records import decode
from tests.support.audit_log import START, Clock, Given, a_key, entry, event_id

COUNT = 3000
STEP_S = 2.5


def id_at(number: int) -> str:
    """A UUIDv7 of the moment at which the event was recorded, less a second."""
    at_ms = int((START.timestamp() + number * STEP_S - 1) * 1000)
    return str(UUID(int=at_ms << 80 | 7 << 76 | 2 << 62 | number))


def given(number: int) -> Given:
    it = entry(number)
    return Given(it.id, it.raw.replace(event_id(number).encode(), id_at(number).encode()))


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hours of events, with a checkpoint over each hundred of them."""
    root, clock = tmp_path_factory.mktemp("log"), Clock()
    options = ChainOptions(signer=a_key(), checkpoint_every=100, clock=clock)
    chain = Chain.open(root, "events", 0, options)
    for number in range(1, COUNT + 1, 10):
        clock.now = START + timedelta(seconds=number * STEP_S)
        chain.append([given(one) for one in range(number, number + 10)])
    chain.close()
    return root


@pytest.mark.parametrize("number", [1, 2, 99, 100, 101, 1234, 1500, 2999, COUNT])
def test_an_event_is_found_where_its_id_says_with_its_place_and_its_proof(
    log: Path, number: int
) -> None:
    (hit,) = search(log, RecordQuery(event_id=id_at(number)))

    (file,) = day_files(log / "events-0")
    lines = file.path.read_bytes().splitlines()
    assert lines[hit.number - 1] == hit.line
    assert id_at(number).encode() in hit.line
    record, checkpoint = check(prove(log, hit))
    assert record.seq == decode(hit.line + b"\n").seq
    assert checkpoint.first <= record.seq < checkpoint.seq


def test_an_event_that_was_recorded_days_later_is_found_as_well(tmp_path: Path) -> None:
    clock = Clock(START + timedelta(days=3))
    chain = Chain.open(tmp_path, "events", 0, ChainOptions(clock=clock))
    chain.append([given(1)])
    chain.close()

    (hit,) = search(tmp_path, RecordQuery(event_id=id_at(1)))

    assert hit.record.recorded_at.startswith("2026-11-23")


def test_a_damaged_line_elsewhere_keeps_nobody_from_finding_an_event(
    log: Path, tmp_path: Path
) -> None:
    (file,) = day_files(log / "events-0")
    lines = file.path.read_bytes().splitlines(keepends=True)
    middle = len(lines) // 2
    lines[middle - 30 : middle + 30] = [b"no record\n"] * 60
    (tmp_path / "events-0").mkdir()
    (tmp_path / "events-0" / file.name).write_bytes(b"".join(lines))

    (hit,) = search(tmp_path, RecordQuery(event_id=id_at(2500)))

    assert lines[hit.number - 1][:-1] == hit.line
    check(prove(tmp_path, hit))


def test_an_id_without_a_time_is_found_too(tmp_path: Path) -> None:
    chain = Chain.open(tmp_path, "events", 0, ChainOptions(clock=Clock()))
    chain.append([Given("1-0", entry(1).raw.replace(event_id(1).encode(), b"no-uuid"))])
    chain.close()

    assert [hit.event.id for hit in search(tmp_path, RecordQuery(event_id="no-uuid"))] == [
        "no-uuid"
    ]
