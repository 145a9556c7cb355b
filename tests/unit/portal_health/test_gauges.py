"""What is shown of a portal ends when nobody looks after it any more."""

from prometheus_client import REGISTRY

from gateway import metrics
from gateway.portal_health.gauges import PortalGauges


def test_of_a_portal_that_is_gone_no_gauge_stays() -> None:
    shown = PortalGauges(life_s=10.0)
    shown.show("gone", last_event_at=1.0, troubles={}, now=0.0)
    metrics.QUEUE_DRAINED_SECONDS.labels("gone").set(1.0)

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
