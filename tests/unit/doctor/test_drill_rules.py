"""When the last drill was, and how it went, is a finding."""

from datetime import UTC, datetime

import pytest

from gateway.doctor.drill_rules import judge_drill
from gateway.drill_record import DrillRecord, FaultOutcome

WELL = FaultOutcome(fault="redis-away")
WRONG = FaultOutcome(fault="spool-full", wrong=("lost: 2", "doubled: 1"))


def record(*outcomes: FaultOutcome, version: str = "2.0.0", is_whole: bool = True) -> DrillRecord:
    return DrillRecord(
        id="0123abcd",
        at=datetime(2026, 1, 31, 12, tzinfo=UTC),
        version=version,
        host="a-host",
        redis="Redis at 127.0.0.1:6379",
        took_s=60.0,
        rate=20.0,
        is_whole=is_whole,
        outcomes=outcomes,
    )


@pytest.mark.parametrize(
    ("last", "severity", "what"),
    [
        (None, "warning", "none has been run"),
        (record(WELL), "well", "the last one, at 2026-01-31T12:00:00Z, went well"),
        (record(WELL, version="1.9.0"), "warning", "was of version 1.9.0, and this is 2.0.0"),
        (record(WELL, is_whole=False), "warning", "tried only redis-away"),
        (record(WRONG, is_whole=False), "red", "did not go well"),
        (record(WELL, WRONG), "red", "did not go well: spool-full: lost: 2"),
        (record(WRONG, version="1.9.0"), "red", "did not go well"),
    ],
)
def test_a_drill_is_judged(last: DrillRecord | None, severity: str, what: str) -> None:
    found = judge_drill(last, version="2.0.0")

    assert found.severity == severity
    assert what in found.what
