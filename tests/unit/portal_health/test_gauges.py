"""What is shown of a portal ends when nobody looks after it any more."""

from prometheus_client import REGISTRY

from gateway import metrics
from gateway.portal_health.gauges import PortalGauges


def test_of_a_portal_that_is_gone_no_gauge_stays() -> None:
    shown = PortalGauges(life_s=10.0)
    shown.show("gone", last_event_at=1.0, troubles={}, now=0.0)
    metrics.QUEUE_DRAINED_SECONDS.set("gone", value=1.0)

    shown.show("there", last_event_at=1.0, troubles={}, now=100.0)

    for name in (
        "b24gw_portal_last_event_timestamp_seconds",
        "b24gw_queue_drained_timestamp_seconds",
    ):
        assert REGISTRY.get_sample_value(name, {"member_id": "gone"}) is None
    assert REGISTRY.get_sample_value(
        "b24gw_portal_last_event_timestamp_seconds", {"member_id": "there"}
    )
    shown.close()


def test_portals_in_trouble_are_counted_and_only_they_have_a_series() -> None:
    def shown_trouble(member_id: str) -> float | None:
        labels = {"member_id": member_id, "trouble": "silent"}
        return REGISTRY.get_sample_value("b24gw_portal_trouble", labels)

    def troubled() -> float | None:
        return REGISTRY.get_sample_value("b24gw_portals_in_trouble", {"trouble": "silent"})

    shown = PortalGauges(life_s=10.0)
    for number in range(120):
        shown.show(f"m{number}", last_event_at=None, troubles=["silent"], now=0.0)
    shown.show("well", last_event_at=None, troubles=[], now=0.0)

    assert troubled() == 120
    assert [shown_trouble(f"m{number}") for number in range(120)].count(1.0) == 100
    assert shown_trouble("well") is None

    for number in range(119):
        shown.show(f"m{number}", last_event_at=None, troubles=[], now=0.0)
    assert (troubled(), shown_trouble("m119"), shown_trouble("m0")) == (1, 1.0, None)
    shown.close()
    assert (troubled(), shown_trouble("m119")) == (0, None)
