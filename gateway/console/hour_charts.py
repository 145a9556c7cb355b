"""Draws the last hour as charts: lines in SVG, and the same in words and in a table. Pure.

The drawing is stretched to the width that there is, so it holds lines and no text.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from gateway.contract import timestamps
from gateway.history.last_hour import GroupPoint, HourPoint, LastHour

__all__ = ["HEIGHT", "WIDTH", "ChartLine", "HourChart", "HourCharts", "charts_of"]

WIDTH: Final = 600
HEIGHT: Final = 100
_GAP_MS: Final = 90_000
_MOST_GROUPS: Final = 12
_ROW_MS: Final = 300_000
_MINUTE_MS: Final = 60_000
_QUARTERS: Final = 4

ChartKind: TypeAlias = Literal["accepted", "answers", "behind"]
_LineName: TypeAlias = Literal["main", "slow"]
_Value: TypeAlias = Callable[[HourPoint], float | None]
_WantedChart: TypeAlias = tuple[ChartKind, str, str, list[tuple[_LineName, _Value]]]


class ChartLine(Struct, frozen=True, kw_only=True):
    """One line: `path` for SVG, `area` below it; its last value, and the most with its time."""

    name: _LineName
    path: str
    area: str
    last: float | None
    most: float | None
    most_at: str


class HourChart(Struct, frozen=True, kw_only=True):
    """A chart, from 0 to `top`. `group` and `stream` are of one about a group."""

    kind: ChartKind
    group: str
    stream: str
    top: float
    lines: list[ChartLine]


class HourCharts(Struct, frozen=True, kw_only=True):
    """All charts; `more` groups have none, since others were further behind.

    `times` are those of the quarters of an hour below each. `last_at` is the time of the last
    point, and `is_current` whether that is about now. `rows` are averages of five minutes, each
    with its time and a value for each line of each chart.
    """

    charts: list[HourChart]
    more: int
    times: list[str]
    last_at: str | None
    is_current: bool
    rows: list[tuple[str, list[float | None]]]


def charts_of(hour: LastHour) -> HourCharts:
    """The charts of an hour: what was accepted, how long it took, how far each group was behind."""
    until_ms = _ms(hour.until)
    points = hour.points
    names = _groups_of(points)
    wanted: list[_WantedChart] = [
        ("accepted", "", "", [("main", lambda one: one.accepted_per_s)]),
        (
            "answers",
            "",
            "",
            [("slow", lambda one: one.slow_answer_s), ("main", lambda one: one.answer_s)],
        ),
    ]
    for group, stream in sorted(names[:_MOST_GROUPS], key=_order):
        wanted.append(("behind", group, stream, [("main", _behind(group, stream))]))
    values = [value for _, _, _, lines in wanted for _, value in lines]
    last_ms = points[-1].at_ms if points else None
    return HourCharts(
        charts=[_chart(one, points, until_ms) for one in wanted],
        more=max(0, len(names) - _MOST_GROUPS),
        times=[
            _clock(until_ms - (_QUARTERS - quarter) * 15 * _MINUTE_MS)
            for quarter in range(_QUARTERS + 1)
        ],
        last_at=None if last_ms is None else timestamps.seconds(last_ms / 1000),
        is_current=last_ms is not None and until_ms - last_ms <= _GAP_MS,
        rows=_rows(points, until_ms, values),
    )


def _groups_of(points: Sequence[HourPoint]) -> list[tuple[str, str]]:
    """All groups, those first that were furthest behind in this hour."""
    furthest: dict[tuple[str, str], int] = {}
    for point in points:
        for one in point.groups:
            key = (one.group, one.stream)
            furthest[key] = max(furthest.get(key, 0), (one.waiting or 0) + one.in_hand)
    return sorted(furthest, key=lambda key: (-furthest[key], _order(key)))


def _order(key: tuple[str, str]) -> tuple[bool, str, str]:
    group, stream = key
    return stream != "events", stream, group


def _behind(group: str, stream: str) -> _Value:
    def value(point: HourPoint) -> float | None:
        return next(
            (_unhandled(one) for one in point.groups if (one.group, one.stream) == (group, stream)),
            None,
        )

    return value


def _unhandled(one: GroupPoint) -> int | None:
    return None if one.waiting is None else one.waiting + one.in_hand


def _chart(wanted: _WantedChart, points: Sequence[HourPoint], until_ms: int) -> HourChart:
    kind, group, stream, lines = wanted
    known = [[(one.at_ms, value(one)) for one in points] for _, value in lines]
    top = max((number for some in known for _, number in some if number is not None), default=0.0)
    return HourChart(
        kind=kind,
        group=group,
        stream=stream,
        top=top,
        lines=[
            _line(name, some, until_ms, top) for (name, _), some in zip(lines, known, strict=True)
        ],
    )


def _line(
    name: _LineName,
    values: Sequence[tuple[int, float | None]],
    until_ms: int,
    top: float,
) -> ChartLine:
    """One line; where nothing is known for a while it is broken."""
    pieces: list[list[tuple[float, float]]] = []
    before_ms = 0
    most: tuple[float, int] | None = None
    last: float | None = None
    for at_ms, value in values:
        if value is None:
            before_ms, last = 0, None
            continue
        if at_ms - before_ms > _GAP_MS:
            pieces.append([])
        x = WIDTH * min(1, 1 - (until_ms - at_ms) / (60 * _MINUTE_MS))  # clocks differ
        y = HEIGHT * (1 - value / top) if top else HEIGHT
        pieces[-1].append((x, y))
        before_ms, last = at_ms, value
        if most is None or value > most[0]:
            most = (value, at_ms)
    return ChartLine(
        name=name,
        path=" ".join(_drawn(piece) for piece in pieces),
        area=" ".join(
            f"{_drawn(piece)} L{piece[-1][0]:.1f} {HEIGHT} L{piece[0][0]:.1f} {HEIGHT} Z"
            for piece in pieces
        ),
        last=last,
        most=None if most is None else most[0],
        most_at="" if most is None else _clock(most[1]),
    )


def _drawn(piece: Sequence[tuple[float, float]]) -> str:
    """A line through points; a single one becomes a dot."""
    text = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in piece)
    return text if len(piece) > 1 else f"{text} h0.1"


def _rows(
    points: Sequence[HourPoint], until_ms: int, values: Sequence[_Value]
) -> list[tuple[str, list[float | None]]]:
    rows = []
    for number in range(12, 0, -1):
        begin_ms = until_ms - number * _ROW_MS
        some = [one for one in points if begin_ms < one.at_ms <= begin_ms + _ROW_MS]
        if some:
            rows.append((_clock(begin_ms), [_mean(map(value, some)) for value in values]))
    return rows


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _clock(at_ms: int) -> str:
    """The time of day, in UTC, to the minute."""
    return timestamps.seconds(at_ms // 1000)[11:16]


def _ms(moment: str) -> int:
    return round(timestamps.moment_of(moment).timestamp() * 1000)
