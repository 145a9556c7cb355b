"""What is said of an outage, and what the probes may ask about it."""

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError, OutOfMemoryError, ResponseError
from structlog.testing import capture_logs

from consumers.runtime.outages import Outages
from gateway.errors import OperatorError

AWAY = RedisConnectionError("refused")
DENIED = ResponseError("ACL failure in script: User service has no permissions to run 'xack'")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_outage_is_told_when_it_begins_when_it_changes_and_when_it_is_over() -> None:
    clock = Clock()
    one = Outages(now=clock).of("acknowledging failed", partition=0)
    with capture_logs() as lines:
        for error in (AWAY, AWAY, OutOfMemoryError(), OutOfMemoryError(), AWAY):
            one.failed(error)
        clock.now += 7
        one.over()
        one.over()

    assert [line["event"] for line in lines] == [*["acknowledging failed"] * 3, "Redis is back"]
    assert lines[-1]["after_s"] == 7


def test_redis_is_back_when_nothing_fails_any_more() -> None:
    outages = Outages()
    reading, leases = outages.of("reading failed"), outages.of("leases wait for Redis")
    reading.failed(AWAY)
    leases.failed(AWAY)
    with capture_logs() as lines:
        reading.over()
        assert lines == []
        leases.over()

    assert [line["event"] for line in lines] == ["Redis is back"]


def test_what_nobody_waits_for_is_no_outage_and_not_over_either() -> None:
    outages = Outages()
    one = outages.of("reading failed")
    one.failed(AWAY)
    with capture_logs() as lines:
        one.forget()

    assert (lines, outages.longest_s) == ([], 0.0)


def test_how_long_it_lasts() -> None:
    clock = Clock()
    outages = Outages(now=clock)
    one = outages.of("reading failed")
    one.failed(AWAY)
    clock.now += 5

    assert outages.longest_s == 5
    assert outages.lasting(6) == []
    assert outages.lasting(5) == ["reading failed for 5 s: ConnectionError: refused"]


@pytest.mark.parametrize("error", [DENIED, NoPermissionError("NOPERM")])
def test_a_right_that_was_never_there_ends_the_process(error: Exception) -> None:
    with pytest.raises(OperatorError, match="Redis refuses the consumer"):
        Outages().of("acknowledging failed").failed(error)


@pytest.mark.parametrize("error", [DENIED, NoPermissionError("NOPERM")])
def test_a_right_that_was_taken_away_is_told_as_an_error_and_waited_for(error: Exception) -> None:
    outages = Outages()
    outages.worked()
    one = outages.of("acknowledging failed")
    with capture_logs() as lines:
        one.failed(error)
        one.failed(error)

    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("acknowledging failed", "error")
    ]
    assert len(outages.denied()) == 1
    one.over()
    assert outages.denied() == []
