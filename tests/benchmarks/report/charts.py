"""Draws what `pictured` lists as SVG, once for light and once for dark pages.

A picture's fingerprint stands at its end, so that a test which draws nothing sees whether it shows
the figures that the page is about.
"""

import json
import textwrap
from pathlib import Path
from typing import Any, Final

import altair as alt
from msgspec import Struct

from tests.benchmarks.growth.curve import Curve
from tests.benchmarks.report.pictured import Bars, Lines, Picture, fingerprint
from tests.benchmarks.report.tables import shown_exponent

__all__ = ["SHADES", "drawn"]

_WIDTH: Final = 560
_HEIGHT: Final = 240
_BAR: Final = 28
_THIN: Final = 19
_COLUMNS: Final = 3
_PANEL: Final = (205, 125)
_GAPS: Final = {"row": 112, "column": 75}
_MORE: Final = ("#8250df", "#bf8700", "#1a7f37", "#bc4c00", "#6e7781", "#0550ae", "#a40e26")
"""Of lines beyond three; each is seen on light and on dark ground."""
_NEAR: Final = 3
# A bar that is farther off than this would press its curve down.


class Shade(Struct, frozen=True):
    """The colours for one kind of page."""

    ground: str
    text: str
    faint: str
    ours: str
    other: str
    missed: str


SHADES: Final = {
    "light": Shade("#ffffff", "#1f2328", "#d1d9e0", "#0969da", "#8c959f", "#cf222e"),
    "dark": Shade("#0d1117", "#e6edf3", "#30363d", "#4493f8", "#7d8590", "#f85149"),
}


def drawn(picture: Picture, shade: Shade, file: Path) -> None:
    """Write a picture."""
    chart = _chart(picture, shade)
    chart = chart.properties(title=picture.title, background=shade.ground, padding=14).configure(
        **_look(shade)
    )
    chart.save(str(file), format="svg")
    svg = file.read_text().rstrip()
    file.write_text(f"{svg}\n<!-- {fingerprint(picture)} -->\n")


def _chart(picture: Picture, shade: Shade) -> Any:
    match picture:
        case Bars():
            return _bars(picture, shade)
        case Lines():
            return _lines(picture, shade)
        case _:
            return _panels(picture.curves, shade)


def _lines(picture: Lines, shade: Shade) -> alt.LayerChart | alt.FacetChart:
    rows = [{"of": one.of, "x": one.x, "y": one.y} for one in picture.points]
    names = list(dict.fromkeys(one.of for one in picture.points))
    colours = [shade.ours, shade.missed, shade.other, *_MORE]
    top = max((one.y for one in picture.points), default=1.0)
    is_limit_near = picture.limit is not None and picture.limit < _NEAR * top
    most = max(top, picture.limit or 0) if is_limit_near else top
    chart = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("x:Q", title=picture.x, axis=alt.Axis(grid=False), scale=alt.Scale(zero=True)),
        y=alt.Y("y:Q", title=picture.y, scale=alt.Scale(domain=[0, 1.1 * most], nice=True)),
        color=alt.Color(
            "of:N",
            sort=names,
            scale=alt.Scale(domain=names, range=colours[: len(names)]),
            legend=alt.Legend(title=None) if len(names) > 1 else None,
        ),
    )
    layers: list[Any] = [chart.mark_line(point=True)]
    if is_limit_near:
        limit = alt.Chart(alt.InlineData(values=[{"limit": picture.limit}]))
        layers.append(limit.mark_rule(strokeDash=[4, 4], color=shade.text).encode(y="limit:Q"))
    return alt.layer(*layers).properties(width=_WIDTH, height=_HEIGHT)


def _look(shade: Shade) -> dict[str, Any]:
    return {
        "font": "sans-serif",
        "axis": {
            "labelColor": shade.text,
            "titleColor": shade.text,
            "gridColor": shade.faint,
            "domainColor": shade.faint,
            "tickColor": shade.faint,
            "titleFontWeight": "normal",
            "labelLimit": 260,
        },
        "title": {
            "color": shade.text,
            "subtitleColor": shade.text,
            "anchor": "start",
            "fontSize": 14,
            "offset": 12,
        },
        "legend": {"labelColor": shade.text, "titleColor": shade.text, "orient": "top"},
        "view": {"stroke": None},
    }


def _bars(picture: Bars, shade: Shade) -> alt.LayerChart | alt.FacetChart:
    sides = list(dict.fromkeys(row.side for row in picture.lengths))
    are_grouped = any(row.of != row.side for row in picture.lengths)
    rows = [{"of": row.of, "side": row.side, "value": row.value} for row in picture.lengths]
    order = list(dict.fromkeys(row.of for row in picture.lengths))
    chart = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("value:Q", title=None, axis=None),
        y=alt.Y(
            "of:N", sort=order, title=None, axis=alt.Axis(domain=False, ticks=False, labelPadding=8)
        ),
        text=alt.Text("value:Q", format=".3~r" if not are_grouped else ".0f"),
    )
    colours = [shade.ours if side == picture.ours else shade.other for side in sides]
    bars = chart.mark_bar().encode(
        color=alt.Color(
            "side:N",
            scale=alt.Scale(domain=sides, range=colours),
            legend=alt.Legend(title=None) if are_grouped else None,
        )
    )
    texts = chart.mark_text(align="left", dx=4, color=shade.text)
    layers = [bars, texts]
    if are_grouped:
        layers = [one.encode(yOffset=alt.YOffset("side:N", sort=sides)) for one in layers]
    height = (_THIN if are_grouped else _BAR) * len(picture.lengths)
    return alt.layer(*layers).properties(width=_WIDTH, height=height)


def _panels(curves: tuple[Curve, ...], shade: Shade) -> alt.ConcatChart:
    panels = alt.concat(*(_panel(curve, shade) for curve in curves), columns=_COLUMNS)
    return panels.properties(align="all", bounds="flush", spacing=_GAPS)


def _panel(curve: Curve, shade: Shade) -> alt.LayerChart | alt.FacetChart:
    """Both axes begin at nothing: a straight line through the corner is a linear law."""
    colour = shade.ours if curve.is_good else shade.missed
    rows = [{"size": size, "cost": curve.costs[size]} for size in curve.sizes]
    most = max(curve.costs.values())
    is_bar_near = curve.bar is not None and curve.bar < _NEAR * most
    top = max(most, curve.bar or 0) if is_bar_near else most
    chart = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(
            "size:Q",
            title=curve.of,
            scale=alt.Scale(domain=[0, curve.sizes[-1]]),
            axis=alt.Axis(
                values=curve.sizes, labelExpr=_named(curve), grid=False, labelOverlap="greedy"
            ),
        ),
        y=alt.Y(
            "cost:Q",
            title=curve.unit,
            scale=alt.Scale(domain=[0, 1.15 * top], nice=True),
            axis=alt.Axis(tickCount=4),
        ),
    )
    layers: list[Any] = [chart.mark_line(point={"color": colour}, color=colour)]
    if is_bar_near:
        bar = alt.Chart(alt.InlineData(values=[{"bar": curve.bar}]))
        layers.append(bar.mark_rule(strokeDash=[4, 4], color=shade.text).encode(y="bar:Q"))
    bars = [f"n^{curve.most_exponent:g}", *([f"{curve.bar:g} {curve.unit}"] if curve.bar else [])]
    width, height = _PANEL
    return alt.layer(*layers).properties(
        width=width,
        height=height,
        title=alt.Title(
            textwrap.wrap(curve.name, 38),
            subtitle=f"n^{shown_exponent(curve)}; at most {', '.join(bars)}",
            fontSize=11,
            subtitleFontSize=11,
            frame="group",
        ),
    )


def _named(curve: Curve) -> str:
    """An expression of Vega for the sizes' short names: 10, 30k, 1M."""
    names = {str(size): _short(size) for size in curve.sizes}
    return f"({json.dumps(names)})[datum.value]"


def _short(size: int) -> str:
    for unit, of in (("M", 1_000_000), ("k", 1_000)):
        if size >= of:
            return f"{size / of:g}{unit}"
    return str(size)
