"""What of the tree under `data` is stored: by names, places, shapes and size."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from gateway.contract import EntityEvent, decode_event, encode_event
from gateway.contract.catalogue import CATALOGUE
from gateway.event_subscription import EventSubscription
from gateway.inbound.admission import Admission, Admitted
from gateway.inbound.form_fields import extract
from gateway.inbound.storable_fields import MAX_FIELDS_BYTES, ChosenFields, StorableFields, keys_of
from gateway.portals.application_tokens import digest_of
from gateway.portals.directory import Directory, Portal
from gateway.settings import EventSettings
from tests.support.catalogue_bodies import (
    MEMBER_ID,
    PORTAL_DOMAIN,
    TOKEN,
    CatalogueBody,
    catalogue_bodies,
)

ADMISSION = Admission(
    Directory([Portal(member_id=MEMBER_ID, domain=PORTAL_DOMAIN, digests=(digest_of(TOKEN),))]),
    EventSubscription([EventSettings(name="*")]),
)
KEY = "be45f0660071849a0058f18a00000001"
ABOUT_ENTITIES = [
    one for one in catalogue_bodies() if one.row.subject_kind not in {"app", "comment"}
]


def of(tree: Any, *secrets: str) -> ChosenFields:
    return StorableFields().of(tree, secrets)


def admitted(body: bytes) -> Admitted:
    verdict = ADMISSION.admit(extract(body), receipt_id="receipt", received_ms=1_795_860_000_000)
    assert isinstance(verdict, Admitted)
    return verdict


def expected(tree: Any) -> Any:
    """What a body's tree says, but what is named like a secret."""
    if isinstance(tree, list):
        return [expected(one) for one in tree]
    if not isinstance(tree, dict):
        return tree
    return {
        name: expected(value)
        for name, value in tree.items()
        if name not in {"auth", "externalAuthId", "TOKEN"}
    }


@pytest.mark.parametrize("one", ABOUT_ENTITIES, ids=lambda one: one.name)
def test_of_every_event_of_the_catalogue_all_but_tokens_is_stored(one: CatalogueBody) -> None:
    found = admitted(one.body)

    event = found.event
    assert isinstance(event, EntityEvent)
    assert decode_event(encode_event(event)) == event
    assert not found.lacks_id
    assert not found.left_out
    said = expected(one.data) if isinstance(one.data, dict) else {}
    assert event.data.fields == said


def test_every_row_about_entities_has_such_a_body() -> None:
    assert {one.row for one in ABOUT_ENTITIES} == {
        row for row in CATALOGUE if row.subject_kind not in {"app", "comment"}
    }


@pytest.mark.parametrize("name", ["access_token", "AUTH", "auth", "clientSecret", "PASSWORD"])
def test_what_is_named_like_a_secret_goes_with_all_that_is_in_it(name: str) -> None:
    assert of({"a": "1", name: "short", "b": {name: {"x": "1"}}}) == ChosenFields({"a": "1"})


def test_what_belongs_to_tokens_goes_with_them() -> None:
    bot = {"access_token": "x", "scope": "crm", "expires": "3600", "BOT_ID": "571"}

    assert of({"BOT": {"571": bot}, "scope": "x"}).fields == {
        "BOT": {"571": {"BOT_ID": "571"}},
        "scope": "x",
    }


def test_what_has_the_shape_of_a_key_goes_whatever_it_is_called() -> None:
    found = of({"ID": "7", "X": KEY, "Y": f"see {KEY}", "Z": {KEY: "1"}})

    assert found == ChosenFields({"ID": "7", "Y": "see ***"}, left_out=3)


def test_a_token_of_the_delivery_goes_whatever_it_looks_like() -> None:
    found = of({"a": "plainword", "b": "a plainword.", "plainword": "1"}, "plainword")

    assert found == ChosenFields({"b": "a ***."}, left_out=3)


def test_ids_are_kept_where_ids_stand_and_nowhere_else() -> None:
    uid = "2ditmm6vjoolzbygaeua2jltkjb9hgks"

    assert of({"memberUid": uid, "other": uid}) == ChosenFields({"memberUid": uid}, left_out=1)
    declared = StorableFields([keys_of("data[zoo][animal]")])
    assert declared.of({"zoo": {"animal": uid}}).fields == {"zoo": {"animal": uid}}


def test_a_uuid_is_an_id_where_it_is_called_one() -> None:
    uuid = "796c45aa-70e5-45aa-930c-c7fb32710c62"

    assert of({"TEMPLATE_ID": uuid, "CODE": uuid}).fields == {"TEMPLATE_ID": uuid}


def test_an_array_is_a_list_as_json_encode_writes_it() -> None:
    assert of({"a": {"0": "x", "1": "y"}}).fields == {"a": ["x", "y"]}
    assert of({"a": {"1": "x", "0": "y"}}).fields == {"a": {"1": "x", "0": "y"}}
    assert of({"a": {"0": "x", "1": KEY, "2": "z"}}).fields == {"a": {"0": "x", "2": "z"}}


def test_numbers_stay_text() -> None:
    assert of({"a": "007", "b": "1.50", "c": "0"}).fields == {"a": "007", "b": "1.50", "c": "0"}


def test_what_is_stored_is_bounded() -> None:
    many = {str(number): "\x01" * 60 for number in range(1_000)}
    found = of({"ID": "7", "many": many})

    assert found.fields["ID"] == "7"
    assert found.left_out > 0
    assert len(msgspec.json.encode(found.fields)) <= MAX_FIELDS_BYTES


def _leaves(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict | list):
        for value in tree.values() if isinstance(tree, dict) else tree:
            yield from _leaves(value)
    else:
        yield str(tree)


def test_too_deep_is_left_out() -> None:
    tree: Any = "x"
    for _ in range(50):
        tree = {"a": tree}

    assert list(_leaves(of(tree).fields)) == []
