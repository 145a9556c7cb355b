from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from gateway.contract import EventType
from gateway.contract.catalogue import CATALOGUE
from gateway.sandbox.bodies import EVENTS, FORMS, Form, body_of
from gateway.sandbox.php_form import Value, encode_form
from gateway.sandbox.portal import SANDBOX, PortalIdentity, choose_portal
from gateway.settings import PortalSettings, Settings, SettingsError
from tests.support.catalogue_bodies import (
    MEMBER_ID,
    PORTAL_DOMAIN,
    TOKEN,
    CatalogueBody,
    catalogue_bodies,
)

WIRE = Path(__file__).parents[1] / "wire"

APP = PortalIdentity(
    member_id="010b6886ebc205e43ae65000ee00addb",
    domain="acme.bitrix24.com",
    application_token="3c6c9248ec54af6bea1159b43ee0ab32",
    access_token="be45f0660071849a0058f18a000000010000077261ef50fc26f1357adbd86a052c9e48",
    refresh_token="4s386p3q0tr8dy89xvmt96234v3dljg8",
)
WEBHOOK_TOKEN = "jvh9y1ulvt2m6k5or90v9mg8nn32ozas"


def changed(**fields: str) -> PortalIdentity:
    return PortalIdentity(**{name: getattr(APP, name) for name in APP.__struct_fields__} | fields)


def wire(name: str) -> bytes:
    return (WIRE / name).read_bytes().rstrip(b"\n")


@pytest.mark.parametrize(
    ("file", "event", "form", "ts", "comment_id", "portal"),
    [
        ("comment-added.app", "comment.added", "app", 1766047124, 999, APP),
        ("comment-updated.app", "comment.updated", "app", 1766047133, 999, APP),
        ("comment-deleted.app", "comment.deleted", "app", 1766047144, 999, APP),
        (
            "comment-updated.app-without-tokens",
            "comment.updated",
            "app-without-tokens",
            1766047184,
            1000,
            APP,
        ),
        (
            "comment-updated.webhook",
            "comment.updated",
            "webhook",
            1766047133,
            999,
            changed(application_token=WEBHOOK_TOKEN),
        ),
        (
            "comment-updated.webhook-three-keys",
            "comment.updated",
            "webhook-three-keys",
            1766047133,
            999,
            changed(application_token=WEBHOOK_TOKEN, domain="b24.corp.example"),
        ),
        (
            "comment-updated.as-documented",
            "comment.updated",
            "as-documented",
            1466439714,
            999,
            APP,
        ),
        ("app-installed", "app.installed", "app", 1766040000, 0, APP),
        ("app-tested", "app.tested", "app", 1573120286, 0, APP),
        ("app-uninstalled", "app.uninstalled", "app", 1766990000, 0, APP),
        (
            "offline-signal",
            "offline.signal",
            "app",
            1766047185,
            0,
            changed(refresh_token="5f1ih5tsnsb11sc5heg3kp4ywqnjhd09"),
        ),
        ("robot-activity", "robot.activity", "app", 1766047190, 0, APP),
    ],
    ids=lambda value: value if isinstance(value, str) and "-" in value else "",
)
def test_a_body_is_byte_for_byte_what_bitrix24_sends(
    *, file: str, event: str, form: Form, ts: int, comment_id: int, portal: PortalIdentity
) -> None:
    body = body_of(event, portal=portal, ts=ts, subject_id=comment_id, form=form)

    assert body == wire(f"{file}.form")


PHP = PortalIdentity(
    member_id=MEMBER_ID,
    domain=PORTAL_DOMAIN,
    application_token=TOKEN,
    access_token="fake0access0token0of0the0user",
    refresh_token="fake0refresh0token0of0the0user",
    scope="crm,task,imbot,telephony,user",
)
"""The portal that make.php plays."""


@pytest.mark.parametrize(
    "php", [one for one in catalogue_bodies() if "@" not in one.name], ids=lambda one: one.name
)
def test_the_body_of_each_event_is_the_one_that_php_makes(php: CatalogueBody) -> None:
    sent = dict(parse_qsl(php.body.decode(), keep_blank_values=True))

    made = body_of(
        php.row.short_name,
        portal=PHP,
        ts=int(sent["ts"]),
        handler_id=int(sent["event_handler_id"]),
    )

    assert dict(parse_qsl(made.decode(), keep_blank_values=True)) == sent
    assert made.partition(b"&auth")[0] == php.body.partition(b"&auth")[0]


@pytest.mark.parametrize(
    "row", [row for row in CATALOGUE if row.id_places], ids=lambda row: row.short_name
)
def test_an_event_is_about_whatever_is_asked_for(row: EventType) -> None:
    made = body_of(row.short_name, portal=SANDBOX, ts=1, subject_id="x7")
    sent = dict(parse_qsl(made.decode(), keep_blank_values=True))

    said = [sent[place] for place in row.id_places if place in sent]
    assert said
    assert set(said) <= {"x7", "undefined"}


def test_every_recorded_body_can_be_made() -> None:
    made = {
        f"{event.replace('.', '-')}.{form}" if len(kind.forms) > 1 else event.replace(".", "-")
        for event, kind in EVENTS.items()
        for form in kind.forms
    }

    assert {path.stem for path in WIRE.glob("*.form")} <= made


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_event_names_its_portal_and_the_others_are_refused(form: Form) -> None:
    for event, kind in EVENTS.items():
        if form not in kind.forms:
            with pytest.raises(ValueError, match=f"{event} exists only in the form app"):
                body_of(event, portal=SANDBOX, ts=1, form=form)
            continue

        fields = dict(parse_qsl(body_of(event, portal=SANDBOX, ts=1, form=form).decode()))

        assert fields["auth[member_id]"] == SANDBOX.member_id, event
        assert fields["auth[application_token]"] == SANDBOX.application_token, event


def test_an_unknown_event_is_refused() -> None:
    with pytest.raises(ValueError, match=r"deal\.eaten: no such event"):
        body_of("deal.eaten", portal=SANDBOX, ts=1)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (None, b""),
        ({}, b""),
        ([], b""),
        (True, b"k=1"),
        (False, b"k=0"),
        ("", b"k="),
        (12, b"k=12"),
        ("a b&c=d", b"k=a+b%26c%3Dd"),
        ("-_.~", b"k=-_.%7E"),
        ("текст", b"k=%D1%82%D0%B5%D0%BA%D1%81%D1%82"),
        (["x", None, "z"], b"k%5B0%5D=x&k%5B2%5D=z"),
        ({"A": {"B": 1}, "C": []}, b"k%5BA%5D%5BB%5D=1"),
    ],
)
def test_a_form_is_encoded_as_php_does(value: Value, encoded: bytes) -> None:
    assert encode_form({"k": value}) == encoded


def test_the_portal_is_the_asked_one_else_the_first_registered_else_the_sandbox() -> None:
    settings = Settings(
        portals=(
            PortalSettings(member_id="one", domain="one.example", application_tokens=("fake-1",)),
            PortalSettings(member_id="two", domain="two.example", application_tokens=("fake-2",)),
        )
    )

    assert choose_portal(Settings()) == SANDBOX
    assert choose_portal(settings).application_token == "fake-1"
    assert choose_portal(settings, member_id="two").domain == "two.example"
    assert choose_portal(settings, member_id="two", token="other").application_token == "other"
    assert choose_portal(settings, member_id="new", domain="new.example") == PortalIdentity(
        member_id="new", domain="new.example", application_token=SANDBOX.application_token
    )


def test_a_registered_portal_whose_token_is_missing_is_named() -> None:
    settings = Settings(
        portals=(PortalSettings(member_id="m", domain="d", application_tokens=("env:NOT_SET_1",)),)
    )

    with pytest.raises(SettingsError, match=r"\[\[portals\]\] m: application_tokens"):
        choose_portal(settings)
    assert choose_portal(settings, token="given").application_token == "given"
