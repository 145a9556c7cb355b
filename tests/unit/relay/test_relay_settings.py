from typing import Any

import pytest

from consumers.relay import build
from gateway.errors import OperatorError
from gateway.settings import Settings
from tests.unit.webhooks.test_push_endpoints import relay


def settings(*endpoints: dict[str, Any]) -> Settings:
    return Settings(relay=relay(*endpoints))


def test_each_endpoint_is_a_consumer_of_a_group_of_its_own() -> None:
    some = build(settings({"name": "crm"}, {"name": "shop", "stream": "events"}))

    assert [(one.group, one.stream, one.start) for one in some.consumers] == [
        ("relay-crm", "comments", "now"),
        ("relay-shop", "events", "now"),
    ]


def test_a_type_that_nothing_can_be_of_stops_the_start_with_the_endpoint_that_names_it() -> None:
    with pytest.raises(OperatorError, match=r"\[\[relay.endpoints\]\] crm types: no event is of"):
        build(settings({"name": "crm", "types": ("deal.updated",)}))


def test_without_endpoints_there_is_nothing_to_do() -> None:
    assert build(Settings()).consumers == ()
