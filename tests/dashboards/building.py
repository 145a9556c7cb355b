"""Makes the dashboards of their panels, by Grafana's own library for it.

Each panel is a query and a sentence. The metrics are those of docs/metrics.md, to which a test
holds them. Data comes from the Prometheus that is chosen above the panels.
"""

from collections.abc import Sequence
from typing import Final

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.builders.common import (
    ReduceDataOptions,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
)

from tests.dashboards.consumer_panels import CONSUMERS
from tests.dashboards.overview_panels import OVERVIEW
from tests.dashboards.panel import GROUP, Panel, Rows
from tests.dashboards.portal_panels import PORTALS

__all__ = ["dashboards"]

_SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${source}")


def dashboards() -> dict[str, str]:
    """The dashboards as JSON, by the names of their files."""
    return {
        "overview.json": _dashboard("b24-overview", "Bitrix24 gateway", OVERVIEW),
        "consumers.json": _dashboard("b24-consumers", "Bitrix24 consumers", CONSUMERS),
        "portals.json": _dashboard("b24-portals", "Bitrix24 portals", PORTALS),
    }


def _dashboard(uid: str, title: str, rows: Rows) -> str:
    built = (
        dashboard.Dashboard(title)
        .uid(uid)
        .tags(["bitrix24"])
        .time("now-6h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(
            dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus")
        )
    )
    if any(GROUP in query for of in rows.values() for one in of for query in one.queries.values()):
        built = built.with_variable(
            dashboard.QueryVariable("group")
            .label("Group")
            .datasource(_SOURCE)
            .query("label_values(b24_consumer_events_total, group)")
            .multi(True)
            .include_all(True)
        )
    for name, panels in rows.items():
        built = built.with_row(dashboard.Row(name))
        for panel in panels:
            built = built.with_panel(_number(panel) if _is_number(name) else _curves(panel))
    return JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"


def _is_number(row: str) -> bool:
    return row == "Now"


def _queries(panel: Panel) -> Sequence[prometheus.Dataquery]:
    return [
        prometheus.Dataquery().expr(query).legend_format(legend).ref_id(chr(ord("A") + number))
        for number, (legend, query) in enumerate(panel.queries.items())
    ]


def _number(panel: Panel) -> stat.Panel:
    steps = [Threshold(color="green", value=None)]
    if panel.red_from is not None:
        steps.append(Threshold(color="red", value=panel.red_from))
    built = (
        stat.Panel()
        .title(panel.title)
        .description(panel.meaning)
        .datasource(_SOURCE)
        .unit(panel.unit)
        .color_mode(BigValueColorMode.BACKGROUND)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .span(3)
        .height(4)
    )
    for query in _queries(panel):
        built = built.with_target(query)
    return built


def _curves(panel: Panel) -> timeseries.Panel:
    built = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.meaning)
        .datasource(_SOURCE)
        .unit(panel.unit)
        .min(0)
        .legend(
            VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .span(12)
        .height(8)
    )
    for query in _queries(panel):
        built = built.with_target(query)
    return built
