"""The minute's line about what was handled."""

from structlog.testing import capture_logs

from consumers.runtime.handled_log import Summary
from consumers.runtime.metrics import Metrics
from tests.unit.runtime.test_lanes import held


def test_a_summary_says_what_came_since_the_last_one_and_nothing_where_nothing_came() -> None:
    metrics = Metrics("index")
    summary = Summary("index", [metrics])
    with capture_logs() as lines:
        summary.tell()
        metrics.handled([held(1, 1), held(1, 2)], took_s=0.1)
        metrics.attempt_failed("failed")
        summary.tell()
        summary.tell()
        metrics.buried("failed")
        metrics.ignored(3)
        summary.tell()

    sums = ("entries", "ignored", "dead_letters", "failed_attempts")
    assert [tuple(line[name] for name in sums) for line in lines] == [(2, 0, 0, 1), (0, 3, 1, 0)]
    assert {(line["event"], line["log_level"]) for line in lines} == {("handled", "info")}
