"""What becomes of each delivery: admitted, ignored, forbidden or malformed."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract import (
    APP_TESTED,
    AppEvent,
    CommentEvent,
    decode_event,
    encode_event,
)
from gateway.event_subscription import EventSubscription
from gateway.inbound.admission import Admission, Admitted, Ignored
from gateway.inbound.errors import Forbidden, Malformed
from gateway.inbound.form_fields import FormFields, extract
from gateway.portals.application_tokens import digest_of
from gateway.portals.directory import Directory, Portal

WIRE = Path(__file__).parent.parent / "wire"
MEMBER = "010b6886ebc205e43ae65000ee00addb"
APP_TOKEN = "3c6c9248ec54af6bea1159b43ee0ab32"
WEBHOOK_TOKEN = "jvh9y1ulvt2m6k5or90v9mg8nn32ozas"
PORTALS = Directory(
    [
        Portal(
            member_id=MEMBER,
            domain="acme.bitrix24.com",
            digests=(digest_of(APP_TOKEN), digest_of(WEBHOOK_TOKEN)),
        )
    ]
)
ADMISSION = Admission(PORTALS, EventSubscription())
GENUINE = FormFields(
    event="ONCRMTIMELINECOMMENTUPDATE",
    event_handler_id="185",
    ts="1766047133",
    fields_id="999",
    member_id=MEMBER,
    domain="acme.bitrix24.com",
    application_token=APP_TOKEN,
    user_id="7",
)


def verdict(fields: FormFields) -> Admitted | Ignored:
    return ADMISSION.admit(fields, receipt_id="receipt", received_ms=1_766_047_133_412)


def comment(fields: FormFields) -> CommentEvent:
    admitted = verdict(fields)
    assert isinstance(admitted, Admitted)
    assert isinstance(admitted.event, CommentEvent)
    return admitted.event


def changed(**changes: str | None) -> FormFields:
    return msgspec.structs.replace(GENUINE, **changes)


def test_the_event_is_as_the_contract_says_to_the_letter() -> None:
    assert encode_event(comment(GENUINE)) == (
        b'{"specversion":"1.0","id":"receipt",'
        b'"source":"urn:bitrix24:010b6886ebc205e43ae65000ee00addb",'
        b'"type":"bitrix24.crm.timeline.comment.updated","subject":"comment/999",'
        b'"time":"2025-12-18T08:38:53Z","receivedat":"2025-12-18T08:38:53.412Z",'
        b'"datacontenttype":"application/json","data":{"comment_id":999,'
        b'"member_id":"010b6886ebc205e43ae65000ee00addb","domain":"acme.bitrix24.com",'
        b'"user_id":7,"event_handler_id":185}}'
    )


WIRE_VERDICTS = {
    "app-installed": ("bitrix24.app.installed", "app"),
    "app-tested": ("bitrix24.app.tested", "app"),
    "app-uninstalled": ("bitrix24.app.uninstalled", "app"),
    "comment-added.app": ("bitrix24.crm.timeline.comment.added", "comment/999"),
    "comment-deleted.app": ("bitrix24.crm.timeline.comment.deleted", "comment/999"),
    "comment-updated.app": ("bitrix24.crm.timeline.comment.updated", "comment/999"),
    "comment-updated.app-without-tokens": ("bitrix24.crm.timeline.comment.updated", "comment/1000"),
    "comment-updated.as-documented": ("bitrix24.crm.timeline.comment.updated", "comment/999"),
    "comment-updated.webhook": ("bitrix24.crm.timeline.comment.updated", "comment/999"),
    "comment-updated.webhook-three-keys": ("bitrix24.crm.timeline.comment.updated", "comment/999"),
    "offline-signal": ("offline_signal", None),
    "robot-activity": ("robot", None),
}


def test_every_wire_body_gets_its_verdict(wire_body: tuple[str, bytes]) -> None:
    name, body = wire_body
    what, subject = WIRE_VERDICTS[name.removesuffix(".form")]

    given_verdict = verdict(extract(body))

    if isinstance(given_verdict, Admitted):
        assert (given_verdict.event.type, str(given_verdict.subject)) == (what, subject)
        assert given_verdict.event.subject == subject
        assert decode_event(encode_event(given_verdict.event)) == given_verdict.event
    else:
        assert given_verdict.reason == what


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"member_id": "ffffffffffffffffffffffffffffffff"}, "unknown_portal"),
        ({"member_id": None}, "unknown_portal"),
        ({"application_token": "fake-wrong-token"}, "wrong_token"),
        ({"application_token": ""}, "missing_token"),
        ({"application_token": None}, "missing_token"),
        ({"application_token": None, "fields_id": "x"}, "missing_token"),
        ({"application_token": "\udcff"}, "wrong_token"),
    ],
)
def test_who_is_not_known_is_refused_whatever_else_it_says(
    changes: dict[str, str | None], reason: str
) -> None:
    with pytest.raises(Forbidden) as caught:
        verdict(changed(**changes))

    assert caught.value.reason == reason


def test_a_portal_may_send_with_any_of_its_tokens() -> None:
    assert comment(changed(application_token=WEBHOOK_TOKEN)).data.comment_id == 999


@pytest.mark.parametrize(
    "text",
    ["0", "-1", "01", "1.0", "1e3", " 1", "٣", "9223372036854775808", "9" * 40, "abc", "²"],
)
def test_an_id_that_is_no_positive_integer_is_malformed(text: str) -> None:
    with pytest.raises(Malformed, match="bad_id"):
        verdict(changed(fields_id=text))


def test_the_largest_id_is_accepted() -> None:
    assert comment(changed(fields_id=str(2**63 - 1))).data.comment_id == 2**63 - 1


def test_a_comment_event_without_an_id_is_malformed() -> None:
    with pytest.raises(Malformed, match="no_id"):
        verdict(changed(fields_id=None))


def test_a_body_without_an_event_is_malformed_unless_a_robot_sent_it() -> None:
    with pytest.raises(Malformed, match="no_event"):
        verdict(changed(event=None))

    assert verdict(changed(event=None, workflow_id="w")) == Ignored("robot", MEMBER)


def test_a_genuine_event_that_nobody_asked_for_is_ignored() -> None:
    assert verdict(changed(event="ONCRMDEALUPDATE")) == Ignored("not_subscribed", MEMBER)


def test_an_uninstallation_says_whether_data_are_to_be_erased() -> None:
    admitted = verdict(changed(event="ONAPPUNINSTALL", clean="1"))

    assert isinstance(admitted, Admitted)
    assert isinstance(admitted.event, AppEvent)
    assert admitted.event.data.clean


@pytest.mark.parametrize(
    ("canary", "test"),
    [
        ("0190b2c4-canary.1", "0190b2c4-canary.1"),
        (None, None),
        ("", None),
        ("x" * 65, None),
        ("a b", None),
        ("<b>", None),
        ("\x1b[31m", None),
    ],
)
def test_a_test_carries_the_id_of_who_tests_if_it_is_one(
    canary: str | None, test: str | None
) -> None:
    admitted = verdict(changed(event="onAppTest", canary=canary))

    assert isinstance(admitted, Admitted)
    assert isinstance(admitted.event, AppEvent)
    assert admitted.event.type == APP_TESTED
    assert admitted.event.data.test == test


def test_only_a_test_has_a_test_id() -> None:
    admitted = verdict(changed(event="ONAPPINSTALL", canary="x"))

    assert isinstance(admitted, Admitted)
    assert b"test" not in encode_event(admitted.event)


def test_what_is_optional_may_be_missing_or_nonsense() -> None:
    event = comment(changed(user_id="x", event_handler_id=None, ts="never", domain="a b\n"))

    assert (event.data.user_id, event.data.event_handler_id) == (None, None)
    assert event.time == "2025-12-18T08:38:53Z"
    assert event.data.domain == "acme.bitrix24.com"


@pytest.mark.parametrize(
    ("ts", "time"),
    [
        ("1325376000", "2012-01-01T00:00:00Z"),
        ("1325375999", "2025-12-18T08:38:53Z"),
        ("1766133533", "2025-12-19T08:38:53Z"),
        ("1766133534", "2025-12-18T08:38:53Z"),
        ("253402300799", "2025-12-18T08:38:53Z"),
        ("1", "2025-12-18T08:38:53Z"),
    ],
)
def test_a_time_that_cannot_be_is_the_time_of_receipt(ts: str, time: str) -> None:
    assert comment(changed(ts=ts)).time == time


def test_a_domain_that_differs_from_the_registered_one_is_told_in_small_letters() -> None:
    assert comment(changed(domain="CRM.Acme.Example")).data.domain == "crm.acme.example"


text = st.none() | st.text(max_size=30)


@given(
    st.builds(
        FormFields,
        event=text | st.sampled_from(["ONCRMTIMELINECOMMENTADD", "onAppUninstall", "ONAPPTEST"]),
        event_handler_id=text,
        ts=text | st.integers().map(str),
        fields_id=text | st.integers(min_value=1).map(str),
        data_id=text,
        clean=text,
        canary=text,
        member_id=st.just(MEMBER) | text,
        domain=text,
        application_token=st.just(APP_TOKEN) | text,
        user_id=text,
        workflow_id=text,
    )
)
def test_no_fields_make_it_raise_anything_else(fields: FormFields) -> None:
    try:
        given_verdict = verdict(fields)
    except (Forbidden, Malformed):
        return
    assert fields.application_token == APP_TOKEN
    if isinstance(given_verdict, Admitted):
        raw = encode_event(given_verdict.event)
        assert APP_TOKEN.encode() not in raw
        assert decode_event(raw) == given_verdict.event
