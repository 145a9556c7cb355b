"""What the settings declare to be fetched, and what of it cannot be."""

import pytest

from gateway.bitrix24.declared_fetches import declared_fetches
from gateway.contract import EVENT_TYPES
from gateway.errors import SettingsError
from gateway.settings import EventSettings

UNKNOWN = "is not known;"
OTHERS = "Of others, fetch_id has to name the parameter that takes the id"


def methods(*declarations: EventSettings) -> dict[str, str]:
    return {one: method.name for one, method in declared_fetches(declarations).items()}


def fault(**declaration: str) -> str:
    with pytest.raises(SettingsError) as error:
        declared_fetches([EventSettings(**declaration)])
    return str(error.value).removeprefix("[[events]] name ")


def test_without_a_method_nothing_is_fetched() -> None:
    assert methods() == methods(EventSettings(name="*")) == {}


def test_a_pattern_fetches_what_its_method_gives() -> None:
    """Of all events of deals, those of their fields and of recurring deals are about others."""
    assert methods(EventSettings(name="onCrmDeal*", fetch="crm.deal.get")) == dict.fromkeys(
        [row.type for row in EVENT_TYPES if row.subject_kind == "deal"], "crm.deal.get"
    )


def test_items_of_all_smart_processes_are_fetched_by_one_method() -> None:
    found = methods(EventSettings(name="onCrmDynamicItemUpdate", fetch="crm.item.get"))
    assert found == {"bitrix24.crm.item.*.updated": "crm.item.get"}


def test_the_last_declaration_that_names_an_event_says_how_it_is_fetched() -> None:
    found = methods(
        EventSettings(name="onCrmLead*", fetch="crm.item.get"),
        EventSettings(name="onCrmLeadUpdate", fetch="crm.lead.get"),
        EventSettings(name="onCrmLeadDelete"),
    )
    assert found == {
        "bitrix24.crm.lead.added": "crm.item.get",
        "bitrix24.crm.lead.updated": "crm.lead.get",
    }


def test_of_a_method_that_is_not_known_the_parameter_is_told() -> None:
    declared = EventSettings(
        name="onAcmeThingAdd", type="bitrix24.acme.thing.added", fetch="acme.thing.get",
        fetch_id="FILTER.ID",
    )  # fmt: skip
    (method,) = declared_fetches([declared]).values()
    assert (method.name, method.id_parameter, method.hides) == ("acme.thing.get", "FILTER.ID", True)


@pytest.mark.parametrize(
    ("declaration", "said"),
    [
        (
            {"name": "onCrmDealUpdate", "fetch": "crm.deals.get"},
            f"onCrmDealUpdate: fetch: crm.deals.get {UNKNOWN} did you mean crm.deal.get? {OTHERS}",
        ),
        (
            {"name": "onTaskUpdate", "fetch": "x"},
            f"onTaskUpdate: fetch: x {UNKNOWN} docs/enricher.md has those that are known. {OTHERS}",
        ),
        (
            {"name": "onTaskUpdate", "fetch": "crm.item.get"},
            "onTaskUpdate: fetch: crm.item.get needs an entityTypeId, and task has none",
        ),
        (
            {"name": "onTaskUpdate", "fetch": "crm.deal.get"},
            "onTaskUpdate: fetch: crm.deal.get gives deal, not task",
        ),
        (
            {"name": "onCrmDealUserField*", "fetch": "crm.deal.get"},
            "onCrmDealUserField*: fetch: crm.deal.get gives deal, not deal_field",
        ),
        (
            {"name": "onTaskUpdate", "fetch_id": "id"},
            "onTaskUpdate: fetch_id says how a method takes the id: give fetch",
        ),
    ],
)
def test_what_cannot_be_fetched_as_declared_is_told_in_a_line(
    declaration: dict[str, str], said: str
) -> None:
    assert fault(**declaration) == said


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        declared_fetches(
            [
                EventSettings(name="onTaskUpdate", fetch="crm.item.get"),
                EventSettings(name="onCrmDealAdd", fetch="nothing.get"),
            ]
        )
    assert len(str(error.value).splitlines()) == 2
