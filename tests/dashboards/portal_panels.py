"""The dashboard of portals: who sends, what was missed, what they answer."""

from typing import Final

from tests.dashboards.panel import Panel, Rows

__all__ = ["PORTALS"]

PORTALS: Final[Rows] = {
    "Who sends": (
        Panel(
            title="Portals that send most",
            meaning="Events a minute, of the twenty that send most.",
            queries={
                "{{member_id}}": "max by (member_id) (b24gw_portal_events_per_minute)",
            },
        ),
        Panel(
            title="Portals that are quiet",
            meaning="Since the last event, of the twenty that are quiet for longest.",
            queries={
                "{{member_id}}": (
                    "time() - max by (member_id) (b24gw_portal_last_event_timestamp_seconds)"
                )
            },
            unit="s",
        ),
        Panel(
            title="Troubles",
            meaning="Portals that are in trouble, by its kind.",
            queries={"{{trouble}}": "max by (trouble) (b24gw_portals_in_trouble)"},
        ),
        Panel(
            title="Wrong tokens",
            meaning="Deliveries with a token that nobody registered, by what became of them.",
            queries={
                "{{result}}": (
                    "sum by (result) "
                    "(rate(b24gw_quarantine_deliveries_total[$__rate_interval])) > 0"
                )
            },
            unit="ops",
        ),
    ),
    "What was missed": (
        Panel(
            title="Recovered events",
            meaning="Never came in, and were found afterwards; by how.",
            queries={
                "{{way}}": "sum by (way) (increase(b24gw_recovered_events_total[$__rate_interval]))"
            },
        ),
        Panel(
            title="Rows of offline queues",
            meaning="By what they turned out to be.",
            queries={
                "{{result}}": (
                    "sum by (result) (increase(b24gw_offline_rows_total[$__rate_interval]))"
                )
            },
        ),
    ),
    "Asking portals": (
        Panel(
            title="Comments",
            meaning="Events that went out, by the state of their comment.",
            queries={
                "{{state}}": "sum by (state) (rate(b24_enricher_events_total[$__rate_interval]))"
            },
            unit="ops",
        ),
        Panel(
            title="Requests",
            meaning="Answered, or why not.",
            queries={
                "{{outcome}}": (
                    "sum by (outcome) (rate(b24_enricher_fetches_total[$__rate_interval]))"
                )
            },
            unit="ops",
        ),
    ),
}
