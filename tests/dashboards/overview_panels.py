"""The dashboard of the whole installation."""

from typing import Final

from tests.dashboards.panel import Panel, Rows

__all__ = ["OVERVIEW"]

OVERVIEW: Final[Rows] = {
    "Now": (
        Panel(
            title="Receivers",
            meaning="How many receivers answer.",
            queries={"": 'sum(up{job="b24-receiver"})'},
        ),
        Panel(
            title="Refused in an hour",
            meaning="Genuine deliveries that were answered 503: each is lost, unless it is found.",
            queries={"": 'sum(increase(b24gw_deliveries_total{outcome="unavailable"}[1h]))'},
            red_from=1,
        ),
        Panel(
            title="In spools",
            meaning="Events that wait on the receivers' disks.",
            queries={"": "sum(b24gw_spool_events)"},
            red_from=1,
        ),
        Panel(
            title="Redis memory",
            meaning="Used share of maxmemory; from [retention] max_memory_share on, events wait.",
            queries={"": "max(b24gw_redis_memory_share)"},
            unit="percentunit",
            red_from=0.8,
        ),
        Panel(
            title="Farthest behind",
            meaning="Age of the oldest entry that some group has not handled.",
            queries={"": "max(b24gw_held_seconds)"},
            unit="s",
            red_from=3600,
        ),
        Panel(
            title="Dead letters",
            meaning="Entries that groups gave up, and that wait for an operator.",
            queries={"": "sum(b24_consumer_dead_letters_waiting)"},
            red_from=1,
        ),
        Panel(
            title="Portals in trouble",
            meaning="Silent, unbound, with a token that ends soon, or refusing.",
            queries={"": "sum(b24gw_portals_in_trouble)"},
            red_from=1,
        ),
        Panel(
            title="Missing",
            meaning="Events that were accepted and are nowhere: the balance does not close.",
            queries={"": "max(b24gw_balance_open_events)"},
            red_from=1,
        ),
    ),
    "Coming in": (
        Panel(
            title="Stored events",
            meaning="Answered 200, by where they were stored.",
            queries={
                "{{place}}": "sum by (place) (rate(b24gw_stored_events_total[$__rate_interval]))"
            },
            unit="ops",
        ),
        Panel(
            title="Not stored",
            meaning="By outcome and reason; docs/http.md says what each means.",
            queries={
                "{{outcome}}: {{reason}}": (
                    "sum by (outcome, reason) (rate(b24gw_deliveries_total[$__rate_interval])) > 0"
                )
            },
            unit="ops",
        ),
        Panel(
            title="Time to store",
            meaning="From a batch's first event to all of them being stored.",
            queries={
                f"p{quantile * 100:g}": (
                    f"histogram_quantile({quantile}, "
                    "sum by (le) (rate(b24gw_store_seconds_bucket[$__rate_interval])))"
                )
                for quantile in (0.5, 0.99)
            },
            unit="s",
        ),
        Panel(
            title="Spools",
            meaning="Events that wait on each machine.",
            queries={"{{instance}}": "b24gw_spool_events"},
        ),
    ),
    "Streams": (
        Panel(
            title="Not handled yet",
            meaning="Entries that a group has not acknowledged.",
            queries={
                "{{group}} on {{stream}}": (
                    "sum by (group, stream) (max without (instance) (b24gw_held_entries))"
                )
            },
        ),
        Panel(
            title="Age of the oldest",
            meaning="Of the entries that a group has not acknowledged.",
            queries={"{{group}} on {{stream}}": "max by (group, stream) (b24gw_held_seconds)"},
            unit="s",
        ),
        Panel(
            title="Entries",
            meaning="What the streams hold.",
            queries={
                "{{stream}}": "sum by (stream) (max without (instance) (b24gw_stream_entries))"
            },
        ),
        Panel(
            title="Removed",
            meaning="By retention when all have handled them; early when memory is short.",
            queries={
                "{{stream}}": (
                    "sum by (stream) (rate(b24gw_trimmed_entries_total[$__rate_interval]))"
                ),
                "{{stream}}, early": (
                    "sum by (stream) (rate(b24gw_trimmed_early_entries_total[$__rate_interval]))"
                ),
            },
            unit="ops",
        ),
    ),
}
