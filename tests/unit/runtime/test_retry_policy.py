import asyncio
from typing import Any

import pytest

from consumers import DeadLetterLimit, Declined, Reject, RetrySchedule, Transient
from consumers.runtime.dead_letter_limit import DeadLetterRate
from consumers.runtime.gate import Circuit
from consumers.runtime.redaction import describe
from consumers.runtime.retry_policy import Bury, RetryPolicy, TryLater
from gateway.backoff import Backoff

POLICY = RetryPolicy(max_attempts=3, transient=(ConnectionError,))


def test_a_rejected_entry_is_buried_at_once() -> None:
    assert POLICY.verdict(Reject("no such deal"), failures=0, delays=0) == Bury("rejected")


def test_an_unknown_exception_is_tried_again_until_the_attempts_are_used_up() -> None:
    verdicts = [POLICY.verdict(KeyError(), failures=count, delays=0) for count in range(3)]

    assert [verdict.outcome for verdict in verdicts] == ["failed", "failed", "dead"]


@pytest.mark.parametrize(
    "error", [Transient("away"), ConnectionResetError(), asyncio.CancelledError()]
)
def test_what_is_away_burns_no_attempt_however_often(error: BaseException) -> None:
    verdict = POLICY.verdict(error, failures=2, delays=10_000)

    assert isinstance(verdict, TryLater)
    assert verdict.is_transient


def test_the_pause_that_the_other_side_asked_for_is_kept() -> None:
    verdict = POLICY.verdict(Transient(retry_after_s=17), failures=0, delays=5)

    assert verdict == TryLater(17.0, is_transient=True)


def test_by_a_schedule_an_entry_is_given_up_by_its_age_and_not_by_a_count() -> None:
    schedule = RetrySchedule(pauses_s=(1.0, 10.0, 100.0), give_up_s=3600, jitter=0.0)
    policy = RetryPolicy(max_attempts=1, retries=schedule)

    def verdict(failures: int, failing_s: float) -> TryLater | Bury:
        return policy.verdict(Declined("422"), failures=failures, delays=0, failing_s=failing_s)

    assert [verdict(count, 3599.0) for count in (0, 1, 2, 50)] == [
        TryLater(pause_s, is_transient=False) for pause_s in (1.0, 10.0, 100.0, 100.0)
    ]
    assert verdict(0, 3600.0) == Bury("failed")


def test_what_failed_together_does_not_come_back_together() -> None:
    schedule = RetrySchedule(pauses_s=(100.0,), give_up_s=1, jitter=0.2)
    pauses = {schedule.delay_s(1) for _ in range(50)}

    assert len(pauses) > 40
    assert all(100.0 <= pause_s <= 120.0 for pause_s in pauses)


@pytest.mark.parametrize(
    "wrong", [{"pauses_s": ()}, {"pauses_s": (-1.0,)}, {"give_up_s": -1.0}, {"jitter": -0.1}]
)
def test_a_schedule_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {"pauses_s": (1.0,), "give_up_s": 1.0}
    with pytest.raises(ValueError, match="at least one pause"):
        RetrySchedule(**(right | wrong))


@pytest.mark.parametrize(
    "text",
    [
        "GET https://x.example/rest?auth=FAKE-SECRET&a=1",
        "access_token: FAKE-SECRET",
        "{'application_token': 'FAKE-SECRET'}",
        "postgres://user:FAKE-SECRET@host/db",
    ],
)
def test_descriptions_of_errors_hold_no_secrets(text: str) -> None:
    assert "FAKE-SECRET" not in describe(RuntimeError(text))


def test_one_failing_comment_never_pauses_the_partition() -> None:
    circuit = Circuit(Backoff())

    assert {circuit.failed("comment/1") for _ in range(100)} == {None}


def test_different_comments_failing_pause_the_partition_longer_each_time() -> None:
    circuit = Circuit(Backoff(first_s=1, limit_s=60), threshold=3)
    pauses = [circuit.failed(f"comment/{n}") for n in range(6)]

    assert pauses[:2] == [None, None]
    assert all(pauses[2:])
    assert (pauses[5] or 0) > (pauses[2] or 0)


def test_what_is_away_for_all_pauses_the_partition_at_once() -> None:
    circuit = Circuit(Backoff(first_s=1, limit_s=60))

    assert circuit.failed("comment/1", pause_s=30.0, for_all=True) == 30.0


def test_one_answer_ends_the_suspicion() -> None:
    circuit = Circuit(Backoff(), threshold=2)
    circuit.failed("comment/1")
    circuit.answered()

    assert circuit.failed("comment/2") is None


def test_the_limit_needs_both_a_count_and_a_share() -> None:
    rate = DeadLetterRate(DeadLetterLimit(max_count=3, max_share=0.1, window_s=60))
    for _ in range(3):
        assert rate.allows(100.0, "failed")
        rate.buried(100.0, "failed")
    assert not rate.allows(100.0, "failed")

    rate.handled(100.0, 100)
    assert rate.allows(100.0, "failed")


def test_old_dead_letters_no_longer_count() -> None:
    rate = DeadLetterRate(DeadLetterLimit(max_count=1, max_share=0.0, window_s=60))
    rate.buried(100.0, "failed")

    assert not rate.allows(150.0, "failed")
    assert rate.allows(161.0, "rejected")


def test_what_nobody_can_read_counts_against_no_consumer() -> None:
    rate = DeadLetterRate(DeadLetterLimit(max_count=1, max_share=0.0, window_s=60))
    for _ in range(100):
        assert rate.allows(100.0, "undecodable")
        rate.buried(100.0, "undecodable")

    assert rate.allows(100.0, "failed")
