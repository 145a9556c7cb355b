"""Describes a load at one rate: what was answered, how long it took, what stood behind it. Pure."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct

from tests.benchmarks.load_test.scheduled_delivery import ScheduledDelivery

__all__ = ["Answers", "Limits", "RedisCost", "Step", "answers_of", "limit_passed", "percentile"]


class Answers(Struct, frozen=True, kw_only=True):
    """What became of the requests of one step; times in ms from when each was due.

    `statuses` counts answers, `none` those that had none. `lag_p99_ms` is how late the generator
    itself was, `generator_cores` how much of a core it took.
    """

    rate: float
    seconds: float
    sent: int
    statuses: dict[str, int]
    spooled: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    lag_p99_ms: float
    generator_cores: float

    @property
    def accepted(self) -> int:
        """How many were answered 200."""
        return self.statuses.get("200", 0)

    @property
    def failed_share(self) -> float:
        """Of all, how many were not."""
        return 1 - self.accepted / self.sent if self.sent else 0.0

    @property
    def is_generator_late(self) -> bool:
        """Whether the generator is the bottleneck: most of the slowest latency is its own."""
        return self.lag_p99_ms > max(10.0, self.p99_ms / 2)


class RedisCost(Struct, frozen=True, kw_only=True):
    """What Redis took for a step: bytes in its memory, and over the network."""

    memory_bytes: int
    in_bytes: int
    out_bytes: int
    commands: int


class Step(Struct, frozen=True, kw_only=True):
    """A step and the installation behind it.

    `backlog` says of each group how many entries it had not acknowledged at the end, and of the
    spools (`spool`) how many events; `cores` how much of a core each process took.
    """

    answers: Answers
    backlog: dict[str, int]
    cores: dict[str, float]
    redis: RedisCost | None = None
    phase: str = "ramp"
    passed: str = ""
    """Which limit was passed, in words; empty if none was."""

    @property
    def backlog_s(self) -> float:
        """How many seconds of this load the longest backlog is."""
        return max(self.backlog.values(), default=0) / self.answers.rate


class Limits(Struct, frozen=True, kw_only=True):
    """Past which an installation does not carry a rate."""

    p99_ms: float = 250.0
    failed_share: float = 0.0
    backlog_s: float = 10.0


def limit_passed(answers: Answers, backlog: Mapping[str, int], limits: Limits) -> str:
    """Which limit, in words; empty if none."""
    if answers.failed_share > limits.failed_share:
        others = {name: count for name, count in answers.statuses.items() if name != "200"}
        told = ", ".join(f"{count} × {name}" for name, count in sorted(others.items()))
        return f"{answers.failed_share:.2%} were not answered 200 ({told})"
    if answers.p99_ms > limits.p99_ms:
        whose = "; the generator is the bottleneck" if answers.is_generator_late else ""
        return f"p99 {answers.p99_ms:.0f} ms, above {limits.p99_ms:g} ms{whose}"
    for name, count in sorted(backlog.items()):
        if count > limits.backlog_s * answers.rate:
            seconds = count / answers.rate
            return f"{name} is {seconds:.0f} s of load behind, more than {limits.backlog_s:g} s"
    return ""


def answers_of(
    rate: float,
    seconds: float,
    deliveries: Sequence[ScheduledDelivery],
    *,
    lags_s: Sequence[float],
    cpu_s: float,
) -> Answers:
    """The account of a step; one that had no answer has no latency, and is counted by `none`."""
    latencies = sorted(one.answered_at - one.due_at for one in deliveries if one.status is not None)
    statuses = Counter("none" if one.status is None else str(one.status) for one in deliveries)
    return Answers(
        rate=rate,
        seconds=seconds,
        sent=len(deliveries),
        statuses=dict(statuses),
        spooled=sum(one.stored == "spool" for one in deliveries),
        p50_ms=percentile(latencies, 0.5) * 1000,
        p90_ms=percentile(latencies, 0.9) * 1000,
        p99_ms=percentile(latencies, 0.99) * 1000,
        max_ms=percentile(latencies, 1) * 1000,
        lag_p99_ms=percentile(sorted(lags_s), 0.99) * 1000,
        generator_cores=cpu_s / seconds,
    )


def percentile(ascending: Sequence[float], share: float) -> float:
    """The least value that so large a share does not exceed; 0 of none."""
    if not ascending:
        return 0.0
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)]
