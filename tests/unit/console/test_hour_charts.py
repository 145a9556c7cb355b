"""The charts of the last hour: their lines, their gaps, and what they say in words."""

import re

from gateway.console.hour_charts import HEIGHT, WIDTH, HourCharts, charts_of
from gateway.history.last_hour import last_hour
from gateway.history.sample_ring import SLOT_MS, GroupSample, HistorySample
from gateway.store_times import STORE_BOUNDS_S
from tests.support.console_hour import GAP, samples_of_an_hour

NOW_MS = 1_796_000_000_000


def drawn(samples: list[HistorySample], *, now_ms: int = NOW_MS) -> HourCharts:
    return charts_of(last_hour(samples, now_ms=now_ms, bounds_s=STORE_BOUNDS_S))


def test_lines_stay_within_the_drawing_and_are_broken_where_nobody_looked() -> None:
    found = drawn(samples_of_an_hour(NOW_MS))

    assert [one.kind for one in found.charts] == ["accepted", "answers", *4 * ["behind"]]
    for chart in found.charts:
        for line in chart.lines:
            points = [float(number) for number in re.findall(r"-?[\d.]+", line.path)]
            assert all(0 <= x <= WIDTH for x in points[::2])
            assert all(0 <= y <= HEIGHT for y in points[1::2])
            assert line.path.count("M") == 2
    assert len(GAP) * SLOT_MS > 90_000
    index = next(one for one in found.charts if one.group == "index")
    assert (index.lines[0].last, index.lines[0].most, index.top) == (1294, 1294, 1294)
    assert index.lines[0].path.endswith(f"L{WIDTH:.1f} 0.0")


def test_a_time_from_which_nothing_is_known_is_said() -> None:
    found = drawn(samples_of_an_hour(NOW_MS), now_ms=NOW_MS + 10 * SLOT_MS)

    assert not found.is_current
    assert found.last_at == "2026-11-30T00:53:20Z"
    assert drawn(samples_of_an_hour(NOW_MS)).is_current


def test_of_many_groups_those_have_a_chart_that_were_furthest_behind() -> None:
    groups = tuple(GroupSample(f"g{number:02}", "events", number, 0, 0) for number in range(30))
    samples = [HistorySample(NOW_MS - ago * SLOT_MS, 0, groups) for ago in (1, 0)]

    found = drawn(samples)

    names = [one.group for one in found.charts if one.kind == "behind"]
    assert (names, found.more) == ([f"g{number}" for number in range(18, 30)], 18)


def test_the_table_has_an_average_of_each_line_for_every_five_minutes() -> None:
    found = drawn(samples_of_an_hour(NOW_MS))

    assert len(found.rows) == 12
    assert {len(values) for _, values in found.rows} == {7}
    assert found.rows[0][0] == "23:53"
    assert drawn([]).rows == []
