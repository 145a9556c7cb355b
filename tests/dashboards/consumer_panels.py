"""The dashboard of groups and their processes."""

from typing import Final

from tests.dashboards.panel import GROUP, Panel, Rows

__all__ = ["CONSUMERS"]

CONSUMERS: Final[Rows] = {
    "Work": (
        Panel(
            title="Through with",
            meaning="Entries by what became of them.",
            queries={
                "{{group}}: {{result}}": (
                    f"sum by (group, result) (rate(b24_consumer_events_total{{{GROUP}}}"
                    "[$__rate_interval]))"
                )
            },
            unit="ops",
        ),
        Panel(
            title="Lag",
            meaning="Entries that were not delivered to the group yet.",
            queries={"{{group}}": f"sum by (group) (b24_consumer_lag{{{GROUP}}})"},
        ),
        Panel(
            title="In hand",
            meaning="Entries that processes have in their hands.",
            queries={"{{group}}": f"sum by (group) (b24_consumer_in_hand{{{GROUP}}})"},
        ),
        Panel(
            title="Oldest pending entry",
            meaning="Age of the oldest entry that was delivered and is not acknowledged.",
            queries={
                "{{group}}": f"max by (group) (b24_consumer_oldest_pending_seconds{{{GROUP}}})"
            },
            unit="s",
        ),
    ),
    "Time": (
        Panel(
            title="From receipt to handled, p99",
            meaning="Replays are left out.",
            queries={
                "{{group}}": (
                    "histogram_quantile(0.99, sum by (group, le) "
                    f"(rate(b24_consumer_event_age_seconds_bucket{{{GROUP}}}[$__rate_interval])))"
                )
            },
            unit="s",
        ),
        Panel(
            title="A call of a handler, p99",
            meaning="Of those that succeeded, of an event or a batch.",
            queries={
                "{{group}}": (
                    "histogram_quantile(0.99, sum by (group, le) "
                    f"(rate(b24_consumer_handling_seconds_bucket{{{GROUP}}}[$__rate_interval])))"
                )
            },
            unit="s",
        ),
    ),
    "Failures": (
        Panel(
            title="Attempts that failed",
            meaning="By what follows: tried again, given up, split.",
            queries={
                "{{group}}: {{outcome}}": (
                    f"sum by (group, outcome) (rate(b24_consumer_failed_attempts_total{{{GROUP}}}"
                    "[$__rate_interval])) > 0"
                )
            },
            unit="ops",
        ),
        Panel(
            title="Dead letters that wait",
            meaning="`gateway dead list` has event, portal and error of each.",
            queries={"{{group}}": f"sum by (group) (b24_consumer_dead_letters_waiting{{{GROUP}}})"},
        ),
        Panel(
            title="Redis fails for",
            meaning="How long something that the process has to do there has failed.",
            queries={
                "{{group}} {{instance}}": f"b24_consumer_redis_failing_seconds{{{GROUP}}} > 0"
            },
            unit="s",
        ),
        Panel(
            title="Stood still",
            meaning="Share of the time in which a handler blocked the process.",
            queries={
                "{{group}} {{instance}}": (
                    f"rate(b24_consumer_standstill_seconds_total{{{GROUP}}}[$__rate_interval])"
                )
            },
            unit="percentunit",
        ),
    ),
    "Pushed": (
        Panel(
            title="Attempts to push",
            meaning="Of the relay, by what became of them.",
            queries={
                "{{endpoint}}: {{outcome}}": (
                    "sum by (endpoint, outcome) (rate(b24_relay_attempts_total[$__rate_interval]))"
                )
            },
            unit="ops",
        ),
        Panel(
            title="Time to answer, p99",
            meaning="Whatever endpoints answered.",
            queries={
                "{{endpoint}}": (
                    "histogram_quantile(0.99, sum by (endpoint, le) "
                    "(rate(b24_relay_answer_seconds_bucket[$__rate_interval])))"
                )
            },
            unit="s",
        ),
    ),
}
