"""Whatever a portal says of an entity, it becomes a bounded event, or is refused for a reason."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.contract import EntityEvent, EventSubject, decode_event, encode_event
from gateway.event_subscription import EventSubscription
from gateway.inbound.admission import Admission, Admitted
from gateway.inbound.form import FormError
from gateway.inbound.form_fields import extract
from gateway.inbound.storable_fields import MAX_FIELDS_BYTES
from gateway.label_values import DELIVERY_REASONS
from gateway.portals.application_tokens import digest_of
from gateway.portals.directory import Directory, Portal
from gateway.settings import EventSettings
from tests.fuzz.bodies import assembled
from tests.support.awkward_forms import AWKWARD_FORMS, LONG_MESSAGE, body_of
from tests.support.catalogue_bodies import MEMBER_ID, PORTAL_DOMAIN, TOKEN

ADMISSION = Admission(
    Directory([Portal(member_id=MEMBER_ID, domain=PORTAL_DOMAIN, digests=(digest_of(TOKEN),))]),
    EventSubscription([EventSettings(name="*")]),
)
MAX_ENVELOPE_BYTES = 1_000
KEY = "be45f0660071849a0058f18a00000001"


def outcome_of(body: bytes) -> EntityEvent | str:
    """The event of a body, or why it is refused."""
    try:
        fields = extract(body)
    except FormError as refusal:
        return refusal.reason
    verdict = ADMISSION.admit(fields, receipt_id="receipt", received_ms=1_795_860_000_000)
    assert isinstance(verdict, Admitted)
    event = verdict.event
    assert isinstance(event, EntityEvent)
    stored = encode_event(event)
    assert decode_event(stored) == event
    assert len(stored) <= MAX_FIELDS_BYTES + MAX_ENVELOPE_BYTES
    assert str(EventSubject.parse(event.subject)) == event.subject
    return event


@pytest.mark.parametrize(("data", "outcome"), AWKWARD_FORMS.values(), ids=list(AWKWARD_FORMS))
def test_it_is_an_event_about_what_can_be_made_out_or_refused(data: str, outcome: str) -> None:
    found = outcome_of(body_of(data))

    assert (found.subject if isinstance(found, EntityEvent) else found) == outcome


def test_the_longest_message_to_a_bot_is_whole() -> None:
    event = outcome_of(LONG_MESSAGE)

    assert isinstance(event, EntityEvent)
    assert event.data.fields["message"]["text"] == "Ж" * 20_000


KEYS = ("ID", "FIELDS", "0", "1", "-7", "", " ", "a", "é", "x y", "a.b", "%00", "auth")
VALUES = ("", "0", "77", "a/b", "undefined", "%ff", "%00", "%0A", "%E2%80%A8", "+", KEY)
PATHS = st.lists(st.sampled_from(KEYS), max_size=14)


@given(st.lists(st.tuples(PATHS, st.sampled_from(VALUES)), max_size=12))
@example([(["FIELDS", "ID"], KEY), (["FIELDS", "ID", ""], "1")])
def test_any_tree_is_an_event_without_keys_or_too_deep(pairs: list[tuple[list[str], str]]) -> None:
    leaves = (f"data{''.join(f'[{key}]' for key in keys)}={value}" for keys, value in pairs)
    event = outcome_of(body_of("&".join(leaves)))

    assert isinstance(event, EntityEvent) or event == "too_deep"
    if isinstance(event, EntityEvent):
        assert KEY not in str(_without_ids(event.data.fields))


def test_whatever_else_a_form_says_it_is_an_event_or_a_refusal_with_a_reason() -> None:
    event = body_of("data[FIELDS][ID]=77")
    for other in assembled(3_000, seed=14):
        found = outcome_of(other + b"&" + event)
        assert isinstance(found, EntityEvent) or found in DELIVERY_REASONS["malformed"]


def _without_ids(fields: dict[str, Any]) -> dict[str, Any]:
    """Where ids stand, what they look like says nothing of what they are."""
    inner = fields.get("FIELDS")
    kept = {key: value for key, value in fields.items() if key not in {"ID", "FIELDS"}}
    if isinstance(inner, dict):
        kept["FIELDS"] = {key: value for key, value in inner.items() if key != "ID"}
    return kept
