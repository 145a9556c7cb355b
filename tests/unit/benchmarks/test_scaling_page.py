"""docs/scaling.md and its picture are of the figures in docs/scaling.json."""

import re
from statistics import median

import pytest

from tests.benchmarks.report.pictured import fingerprint
from tests.benchmarks.report.plan import IMAGES
from tests.benchmarks.scaling.measurement import (
    DATA,
    PAGE,
    PICTURE,
    Measurements,
    read_measurements,
)
from tests.benchmarks.scaling.measuring import RATES, SHAPES
from tests.benchmarks.scaling.model import KINDS, model_of, predictions
from tests.benchmarks.scaling.page import page_of, picture_of

MAKE_IT = "`python -m tests.benchmarks.scaling page` writes it"


@pytest.fixture(scope="module")
def found() -> Measurements:
    return read_measurements(DATA)


def test_the_page_is_made_of_the_figures_beside_it(found: Measurements) -> None:
    assert PAGE.read_text(encoding="utf-8") == page_of(found), MAKE_IT


def test_its_picture_shows_them_to_light_and_to_dark_pages(found: Measurements) -> None:
    for shade in ("light", "dark"):
        svg = (IMAGES / f"{PICTURE}-{shade}.svg").read_text(encoding="utf-8")
        assert svg.endswith(f"<!-- {fingerprint(picture_of(found))} -->\n"), MAKE_IT


def test_each_picture_of_the_page_is_there() -> None:
    sources = re.findall(r'src(?:set)?="([^"]+)"', PAGE.read_text(encoding="utf-8"))

    assert sources
    assert [source for source in sources if not (PAGE.parent / source).exists()] == []


def test_every_shape_was_measured_at_every_rate(found: Measurements) -> None:
    places = {(one.shape, one.rate) for one in found.rounds}

    assert places == {(shape, rate) for shape in SHAPES for rate in RATES}


def test_the_model_is_held_to_every_kind_of_process(found: Measurements) -> None:
    checked = predictions(model_of(found.rounds), found.rounds)

    assert {one.kind for one in checked} == set(KINDS)
    assert median(abs(one.error) for one in checked) < 0.15
