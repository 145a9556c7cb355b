"""Metrics: the page about them, and that counters begin at 0."""

import re
from pathlib import Path

from prometheus_client import REGISTRY

from gateway import metrics
from gateway.label_values import (
    DELIVERY_REASONS,
    begin_receiver_at_zero,
    begin_reconcile_at_zero,
)
from gateway.ranked_gauge import RankedGauge
from tests.metric_reference import all_rows, page

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_metrics_is_the_code() -> None:
    assert (DOCS / "metrics.md").read_text() == page(), "run `make docs`"


def test_every_metric_has_a_name_of_its_own_with_its_unit() -> None:
    names = [row.name for row in all_rows()]

    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"b24(gw)?_[a-z0-9_]+", name) for name in names)
    assert not [name for name in names if re.search(r"_(ms|minutes|mb|kb)(_|$)", name)]


def test_no_metric_has_a_label_for_which_everybody_is_a_value() -> None:
    """Of portals a ranked gauge shows few; no other label may be a portal, an entry or an event."""
    unbounded = {"entry_id", "event_id", "comment_id", "subject", "domain", "url", "user_id"}
    ranked = {one.name for one in vars(metrics).values() if isinstance(one, RankedGauge)}

    for row in all_rows():
        assert not unbounded & set(row.labels), row.name
        assert "member_id" not in row.labels or row.name in ranked, row.name


def test_the_reasons_that_begin_at_zero_are_those_of_the_page() -> None:
    text = (DOCS / "http.md").read_text()
    documented = {
        outcome: re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", reasons))
        for outcome, reasons in re.findall(r"^\| `(\w+)` \| (.+) \|$", text, re.MULTILINE)
        if outcome in DELIVERY_REASONS
    }

    assert documented == {outcome: list(reasons) for outcome, reasons in DELIVERY_REASONS.items()}


def test_counters_are_shown_before_they_count() -> None:
    begin_receiver_at_zero()
    begin_reconcile_at_zero()

    for name, labels in (
        ("b24gw_deliveries_total", {"outcome": "unavailable", "reason": "spool_full"}),
        ("b24gw_stored_events_total", {"place": "spool"}),
        ("b24gw_recovered_events_total", {"way": "queue"}),
    ):
        assert REGISTRY.get_sample_value(name, labels) is not None, name
