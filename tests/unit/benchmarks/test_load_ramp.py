"""A ramp rises to the knee, and holds below it."""

from collections.abc import Callable

import pytest

from tests.benchmarks.load_test.ramp import Next, Ramp, RampPlan
from tests.benchmarks.load_test.scheduled_delivery import ScheduledDelivery
from tests.benchmarks.load_test.steps import Answers, Limits, answers_of, limit_passed

PLAN = RampPlan(first=100, factor=2, most=1_600, step_s=1, hold_s=2, max_events=100_000)


def taken(passes: Callable[[Next], bool], plan: RampPlan = PLAN) -> tuple[Ramp, list[str]]:
    """The steps that a ramp takes on an installation that bends where `passes` says."""
    ramp, steps = Ramp(plan), []
    while (step := ramp.next()) is not None:
        steps.append(f"{step.phase} {step.rate:g}")
        ramp.concluded("too slow" if passes(step) else "", sent=round(step.rate * step.seconds))
    return ramp, steps


def test_it_holds_the_last_rate_before_the_knee() -> None:
    ramp, steps = taken(lambda step: step.rate > 500)

    assert steps == ["ramp 100", "ramp 200", "ramp 400", "ramp 800", "ramp 800", "hold 400"]
    assert (ramp.held, ramp.ended) == (400, "too slow")


def test_a_limit_that_is_passed_once_is_no_knee() -> None:
    passed = iter([True])

    ramp, _ = taken(lambda step: next(passed, False))

    assert (ramp.held, ramp.ended) == (1_600, "the ramp ends at 1600 events a second")


def test_what_cannot_be_held_is_tried_lower() -> None:
    ramp, steps = taken(lambda step: step.rate > (500 if step.phase == "ramp" else 300))

    assert steps[-3:] == ["hold 400", "hold 320", "hold 256"]
    assert ramp.held == 256


def test_an_installation_that_holds_nothing_is_left_alone_at_last() -> None:
    ramp, steps = taken(lambda step: True)

    assert ramp.held is None
    assert len([one for one in steps if one.startswith("hold")]) == 6


def test_it_sends_no_more_than_it_may() -> None:
    plan = RampPlan(first=100, factor=2, step_s=1, hold_s=1, max_events=2_300)

    ramp, steps = taken(lambda step: False, plan)

    assert steps == ["ramp 100", "ramp 200", "ramp 400", "hold 400"]
    assert ramp.ended == "no more than 2,300 events are sent"


def delivery(due_at: float, took_s: float, status: int | None = 200) -> ScheduledDelivery:
    return ScheduledDelivery(1, 1, due_at, status, "", "stream", due_at + took_s, due_at=due_at)


def answered(*deliveries: ScheduledDelivery, lag_s: float = 0.001) -> Answers:
    lags_s = [lag_s] * len(deliveries)
    return answers_of(100.0, 1.0, deliveries, lags_s=lags_s, cpu_s=0.1)


def test_a_latency_counts_from_when_a_request_was_due() -> None:
    late = ScheduledDelivery(1, 1, 5.0, 200, "", "stream", 5.01, due_at=2.0)

    assert answered(delivery(1.0, 0.01), late).p99_ms == pytest.approx(3010)


def test_each_limit_is_told_that_is_passed() -> None:
    limits = Limits(p99_ms=100, failed_share=0.1, backlog_s=5)
    well = answered(*(delivery(1.0, 0.01) for _ in range(20)))

    assert limit_passed(well, {"audit": 400}, limits) == ""
    assert "audit is 6 s of load behind" in limit_passed(well, {"audit": 600}, limits)
    slow = answered(*(delivery(1.0, 0.3) for _ in range(20)))
    assert limit_passed(slow, {}, limits) == "p99 300 ms, above 100 ms"
    refused = answered(*(delivery(1.0, 0.01, 503) for _ in range(3)), delivery(1.0, 0.01, None))
    assert "(3 × 503, 1 × none)" in limit_passed(refused, {}, limits)


def test_a_generator_that_is_late_itself_is_told() -> None:
    late = answered(*(delivery(1.0, 0.3) for _ in range(20)), lag_s=0.25)

    assert limit_passed(late, {}, Limits()).endswith("the generator is the bottleneck")
