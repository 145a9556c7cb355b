"""docs/performance.md and its pictures are of the figures in docs/performance.json."""

import re

import pytest

from tests.benchmarks.report.not_reached import REASONS, reason_for
from tests.benchmarks.report.page import barred, page
from tests.benchmarks.report.pictured import fingerprint, pictures
from tests.benchmarks.report.plan import BENCHMARKS, DATA, IMAGES, PAGE
from tests.benchmarks.report.results import Results, read

MAKE_IT = "`make bench-page` writes it"


@pytest.fixture(scope="module")
def results() -> Results:
    return read(DATA)


def test_the_page_is_made_of_the_figures_beside_it(results: Results) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(results), MAKE_IT


def test_each_picture_shows_those_figures_to_light_and_to_dark_pages(results: Results) -> None:
    for name, picture in pictures(results).items():
        for shade in ("light", "dark"):
            svg = (IMAGES / f"{name}-{shade}.svg").read_text(encoding="utf-8")
            assert svg.endswith(f"<!-- {fingerprint(picture)} -->\n"), MAKE_IT


def test_each_picture_of_the_page_is_there() -> None:
    sources = re.findall(r'src(?:set)?="([^"]+)"', PAGE.read_text(encoding="utf-8"))

    assert sources
    assert [source for source in sources if not (PAGE.parent / source).exists()] == []


def test_every_benchmark_has_been_measured(results: Results) -> None:
    assert {run.benchmark for run in results.runs} == {one.name for one in BENCHMARKS}


def test_what_misses_its_bar_has_a_reason(results: Results) -> None:
    missed = [one for it in BENCHMARKS for one in barred(results.of(it.name)) if not one.is_met]

    assert [one.name for one in missed if not reason_for(one.name)] == []


def test_no_reason_is_given_for_what_is_not_measured(results: Results) -> None:
    names = [one.name for it in BENCHMARKS for one in barred(results.of(it.name))]

    assert [start for start in REASONS if not any(name.startswith(start) for name in names)] == []
