"""For which events something is fetched, and which of them have to keep their order with these."""

import pytest

from consumers import Event
from consumers.enricher.fetch_rules import FetchRules
from consumers.enricher.wanted import Wanted
from consumers.runtime.handler_table import matches
from consumers.testing import app_event, comment_event, entity_event
from gateway.bitrix24.fetch_methods import fetch_method
from gateway.contract import EventSubject
from gateway.settings import EventSettings

ITEM = fetch_method("crm.item.get")
RULES = FetchRules(
    {"bitrix24.crm.deal.updated": ITEM, "bitrix24.crm.item.*.updated": ITEM,
     "bitrix24.task.*": fetch_method("crm.deal.get")}
)  # fmt: skip


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        (comment_event(9), Wanted.comment(9)),
        (entity_event("deal/7"), Wanted(ITEM, EventSubject("deal", 7))),
        (entity_event("deal"), Wanted(ITEM, EventSubject("deal"))),
        (entity_event("deal/7", "bitrix24.crm.deal.deleted"), None),
        (
            entity_event("item.31/7", "bitrix24.crm.item.31.updated"),
            Wanted(ITEM, EventSubject("item.31", 7)),
        ),
        (entity_event("stock/7", "bitrix24.crm.deal.updated"), None),
        (app_event(), None),
    ],
)
def test_an_object_is_wanted_of_what_was_declared(event: Event, wanted: Wanted | None) -> None:
    assert RULES.wanted(event) == wanted


@pytest.mark.parametrize(
    ("event_type", "is_gathered"),
    [
        ("bitrix24.crm.timeline.comment.deleted", True),
        ("bitrix24.crm.deal.updated", True),
        ("bitrix24.crm.deal.deleted", True),
        ("bitrix24.crm.item.1032.deleted", True),
        ("bitrix24.task.added", True),
        ("bitrix24.crm.lead.updated", False),
        ("bitrix24.app.installed", False),
    ],
)
def test_all_events_of_a_kind_go_the_same_way(event_type: str, *, is_gathered: bool) -> None:
    found = [matches(one, [event_type]) for one in RULES.gathered]
    assert any(found) is is_gathered


@pytest.mark.parametrize(
    ("event", "method"),
    [
        (entity_event("deal/7", "bitrix24.crm.deal.added"), "crm.item.get"),
        (entity_event("deal/7", "bitrix24.crm.deal.updated"), "crm.deal.get"),
        (entity_event("item.1032/7", "bitrix24.crm.item.1032.deleted"), "crm.item.get"),
        (entity_event("task/7", "bitrix24.task.updated"), None),
        (entity_event("recurring_deal/7", "bitrix24.crm.recurring_deal.updated"), None),
    ],
)
def test_settings_say_what_is_fetched_and_the_last_of_several_counts(
    event: Event, method: str | None
) -> None:
    rules = FetchRules.of(
        [
            EventSettings(name="onCrmDeal*", fetch="crm.item.get"),
            EventSettings(name="onCrmDynamicItem*", fetch="crm.item.get"),
            EventSettings(name="oncrmdealupdate", fetch="crm.deal.get"),
            EventSettings(name="onTaskUpdate"),
        ]
    )

    wanted = rules.wanted(event)

    assert (None if wanted is None else wanted.method.name) == method
