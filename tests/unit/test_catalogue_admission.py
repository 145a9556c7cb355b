"""Each event of the catalogue, from the bytes that PHP makes to the CloudEvent that is stored.

`events.json` beside the bodies says as what each is published, and what it is about.
"""

import json
from typing import Final

from gateway.contract import decode_event, encode_event
from gateway.contract.catalogue import CATALOGUE
from gateway.event_subscription import EventSubscription
from gateway.inbound.admission import Admission, Admitted
from gateway.inbound.form_fields import extract
from gateway.portals.application_tokens import digest_of
from gateway.portals.directory import Directory, Portal
from gateway.settings import EventSettings
from tests.support.catalogue_bodies import (
    FOLDER,
    MEMBER_ID,
    PORTAL_DOMAIN,
    TOKEN,
    CatalogueBody,
    catalogue_bodies,
)

ADMISSION: Final = Admission(
    Directory([Portal(member_id=MEMBER_ID, domain=PORTAL_DOMAIN, digests=(digest_of(TOKEN),))]),
    EventSubscription([EventSettings(name="*")], table=CATALOGUE),
)
PUBLISHED: Final[dict[str, list[str]]] = json.loads((FOLDER / "events.json").read_text())
BODIES: Final = catalogue_bodies()
RECEIVED_MS: Final = 1_795_860_000_250


def admitted(one: CatalogueBody) -> Admitted:
    verdict = ADMISSION.admit(extract(one.body), receipt_id="receipt", received_ms=RECEIVED_MS)
    assert isinstance(verdict, Admitted), one.name
    return verdict


def test_each_is_published_as_its_type_about_its_subject() -> None:
    published = {}
    for one in BODIES:
        verdict = admitted(one)
        event = verdict.event
        assert str(verdict.subject) == event.subject, one.name
        assert (event.time, event.source) == ("2026-11-28T10:00:00Z", f"urn:bitrix24:{MEMBER_ID}")
        published[one.name] = [event.type, event.subject]

    assert published == PUBLISHED


def test_none_lacks_the_id_that_its_row_promises() -> None:
    assert [one.name for one in BODIES if admitted(one).lacks_id] == []


def test_no_token_is_in_what_is_stored() -> None:
    for one in BODIES:
        stored = encode_event(admitted(one).event)
        assert b"fake0" in one.body, one.name
        assert b"fake0" not in stored, one.name
        assert decode_event(stored) == admitted(one).event, one.name
