"""A row of a portal's queue says what its form would have said, and is read whatever it says."""

from typing import Any

import pytest

from gateway.contract import EntityEvent
from gateway.event_subscription import EventSubscription
from gateway.inbound.admission import Admission, Admitted
from gateway.inbound.form_fields import extract
from gateway.missed_events.queue_rows import OfflineRow, QueueRows
from gateway.portals.application_tokens import digest_of
from gateway.portals.directory import Directory, Portal
from gateway.sandbox.event_data import Fields, with_tokens
from gateway.sandbox.php_form import Value
from gateway.settings import EventSettings
from tests.support.catalogue_bodies import MEMBER_ID, PORTAL_DOMAIN, TOKEN, catalogue_bodies

EVERYTHING = EventSubscription([EventSettings(name="*")])
ROWS = QueueRows(EVERYTHING)
ADMISSION = Admission(
    Directory([Portal(member_id=MEMBER_ID, domain=PORTAL_DOMAIN, digests=(digest_of(TOKEN),))]),
    EVERYTHING,
)
QUEUED = [
    one
    for one in catalogue_bodies()
    if one.row.is_queued_offline and one.row.subject_kind != "comment"
]


def row_of(data: Any, event: str = "ONCRMDEALUPDATE") -> OfflineRow:
    row = ROWS.row_of(
        {
            "MESSAGE_ID": "0123456789abcdef0123456789abcdef",
            "EVENT_NAME": event,
            "TIMESTAMP_X": "2026-11-28T10:00:00+00:00",
            "EVENT_DATA": data,
            "EVENT_ADDITIONAL": {"user_id": 7},
        }
    )
    assert row is not None
    return row


def tokens_of(_user: Value) -> Fields:
    return {"access_token": "fake0access0token", "refresh_token": "fake", "scope": "imbot"}


def test_a_row_of_every_event_says_what_its_form_says() -> None:
    assert len(QUEUED) > 200
    for one in QUEUED:
        row = row_of(with_tokens(one.tree, tokens_of), one.row.wire_name)
        delivered = ADMISSION.admit(extract(one.body), receipt_id="r", received_ms=0)
        assert isinstance(delivered, Admitted)
        event = delivered.event
        assert isinstance(event, EntityEvent)
        told = (event.type, event.subject, event.data.fields)
        assert (row.type, str(row.subject), row.fields) == told, one.name


@pytest.mark.parametrize("depth", [12, 13, 100, 950])
def test_a_row_is_read_however_deep_it_is(depth: int) -> None:
    tree: Any = 1
    for _ in range(depth):
        tree = {"a": [tree]}

    row = row_of({"FIELDS": {"ID": 77}, "x": tree})

    assert (str(row.subject), row.fields["FIELDS"]) == ("deal/77", {"ID": "77"})


@pytest.mark.parametrize(
    ("data", "subject"),
    [
        (None, "deal"),
        ([], "deal"),
        ("x", "deal"),
        ({"FIELDS": {"ID": 0}}, "deal"),
        ({"FIELDS": {"ID": -3}}, "deal"),
        ({"FIELDS": {"ID": 10**30}}, "deal"),
        ({"FIELDS": {"ID": "a/b"}}, "deal"),
        ({"FIELDS": [{"ID": 77}]}, "deal"),
        ({"FIELDS": {"ID": 77}, "big": "ж" * 300_000}, "deal/77"),
        ({"FIELDS": {"ID": 77}, **{f"k{number}": "v" for number in range(20_000)}}, "deal/77"),
    ],
    ids=lambda data: str(data)[:30],
)
def test_a_row_is_read_whatever_it_says(data: Any, subject: str) -> None:
    row = row_of(data)

    assert str(row.subject) == subject
    assert len(str(row.fields)) < 300_000


def test_a_row_brings_no_key() -> None:
    key = "fake0access0token0of0the0bot"
    row = row_of({"FIELDS": {"ID": 77}, "auth": {"x": key}, "url": f"https://a/rest/1/{key}/"})

    assert key not in str(row.fields)
