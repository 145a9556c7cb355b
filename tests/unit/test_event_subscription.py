"""Which events are taken: what the settings name, out of the table, and what they declare."""

import msgspec
import pytest

from gateway.contract import APP_SUBJECT, COMMENT_SUBJECT, EVENT_TYPES, EventType, types_about
from gateway.errors import SettingsError
from gateway.event_subscription import EventSubscription
from gateway.settings import EventSettings

DEAL_ADDED = EventType(
    documented_name="onCrmDealAdd",
    type="bitrix24.crm.deal.added",
    subject_kind="deal",
    is_queued_offline=True,
)
DEAL_UPDATED = EventType(
    documented_name="onCrmDealUpdate", type="bitrix24.crm.deal.updated", subject_kind="deal"
)
TABLE = (
    *types_about(COMMENT_SUBJECT),
    *types_about(APP_SUBJECT),
    DEAL_ADDED,
    DEAL_UPDATED,
)
COMMENTS = [row.type for row in types_about(COMMENT_SUBJECT)]
APPLICATION = [row.type for row in types_about(APP_SUBJECT)]


def subscription(*names: str, **more: str) -> EventSubscription:
    return EventSubscription([EventSettings(name=name, **more) for name in names], table=TABLE)


def fault(*names: str, **more: str) -> str:
    with pytest.raises(SettingsError) as caught:
        subscription(*names, **more)
    return str(caught.value)


def test_without_settings_comments_and_the_life_of_the_application_are_taken() -> None:
    assert list(EventSubscription().types) == COMMENTS + APPLICATION


def test_settings_replace_the_default_and_the_application_is_heard_in_any_case() -> None:
    assert list(subscription("onCrmDealUpdate").types) == [*APPLICATION, DEAL_UPDATED.type]


@pytest.mark.parametrize("name", ["onCrmDealUpdate", "ONCRMDEALUPDATE", "oncrmdealupdate"])
def test_capitals_do_not_matter(name: str) -> None:
    assert DEAL_UPDATED in subscription(name).rows


@pytest.mark.parametrize("row", EVENT_TYPES, ids=lambda row: row.documented_name)
def test_each_event_of_the_table_can_be_named_in_the_settings(row: EventType) -> None:
    declared = msgspec.convert({"name": row.documented_name}, EventSettings)

    assert row in EventSubscription([declared]).rows


def test_a_pattern_takes_all_whose_names_it_matches() -> None:
    assert list(subscription("onCrmDeal*").types) == [
        *APPLICATION,
        DEAL_ADDED.type,
        DEAL_UPDATED.type,
    ]
    assert subscription("*").rows == TABLE


def test_the_last_of_several_that_name_an_event_counts() -> None:
    both = EventSubscription(
        [
            EventSettings(name="onCrmDeal*", fetch="crm.item.get"),
            EventSettings(name="onCrmDealAdd"),
        ],
        table=TABLE,
    )

    assert {one: declared.fetch for one, declared in both.fetches.items()} == {
        DEAL_UPDATED.type: "crm.item.get"
    }


def test_events_of_the_application_are_never_fetched() -> None:
    assert set(subscription("*", fetch="crm.item.get").fetches).isdisjoint(APPLICATION)


def test_what_is_bound_is_what_is_taken_and_the_word_of_the_queue() -> None:
    deals = subscription("onCrmDeal*")

    assert deals.delivered[-3:] == ("ONCRMDEALADD", "ONCRMDEALUPDATE", "ONOFFLINEEVENT")
    assert deals.queued == ("ONCRMDEALADD",)


def test_an_event_that_the_table_lacks_may_be_declared() -> None:
    declared = subscription("onZooAnimalFeed", type="bitrix24.zoo.animal.fed", id="data[ANIMAL]")

    row = declared.by_wire_name["ONZOOANIMALFEED"]
    assert (row.type, row.subject_kind) == ("bitrix24.zoo.animal.fed", "animal")
    assert row.id_places == ("data[ANIMAL]",)
    assert not row.is_queued_offline


def test_the_id_of_a_declared_event_is_looked_for_at_the_usual_places() -> None:
    declared = subscription("onZooAnimalFeed", type="bitrix24.zoo.animal.fed", subject="beast")

    row = declared.by_wire_name["ONZOOANIMALFEED"]
    assert (row.subject_kind, row.id_places) == ("beast", types_about(COMMENT_SUBJECT)[0].id_places)


def test_for_a_misspelt_name_the_nearest_is_suggested() -> None:
    assert fault("onCrmDealUpdat") == (
        "[[events]] name onCrmDealUpdat: no such event; did you mean onCrmDealUpdate?"
    )
    assert "others need a type" in fault("onZooAnimalFeed")


def test_a_pattern_that_matches_nothing_is_a_fault() -> None:
    assert fault("onZoo*") == "[[events]] name onZoo*: no event has a name like this"


def test_all_faults_are_told_at_once() -> None:
    assert len(fault("onCrmDealUpdat", "onZoo*").splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "more", "why"),
    [
        ("onCrmDealUpdate", {"type": "bitrix24.zoo.deal.updated"}, "take type, subject and id out"),
        ("onZoo*", {"type": "bitrix24.zoo.animal.fed"}, "a pattern declares no event"),
        ("onZooAnimalFeed", {"id": "data[ID]"}, "needs a type"),
        ("onZooAnimalFeed", {"type": DEAL_ADDED.type}, "another event is published as this"),
        ("onZooAnimalFeed", {"type": "bitrix24.portal.silent"}, "is published as this"),
        ("onZooAnimalFeed", {"type": "bitrix24.zoo.comment.fed"}, "other kinds are about it"),
        ("onOfflineEvent", {"type": "bitrix24.zoo.animal.fed"}, "it is no event"),
    ],
)
def test_a_declaration_contradicts_nothing(name: str, more: dict[str, str], why: str) -> None:
    assert why in fault(name, **more)
