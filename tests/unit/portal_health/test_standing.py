"""Which faults a portal has, and what is to be done about each."""

from typing import Any

import pytest
from msgspec.structs import replace

from gateway.contract import PortalData
from gateway.portal_health.standing import Answers, Heard, PortalStanding, faults_of

DAY = 86400.0
NOW = 1_766_059_200.0
WELL = PortalStanding(
    member_id="m1",
    domain="m1.example",
    endpoint="https://m1.example/rest/",
    tokens=1,
    access="application",
    has_handler=True,
    renewed_at=NOW - 10 * DAY,
    erase_since=None,
    answers=Answers(bound=10, queue=3, waiting_since=NOW - 60),
    heard=Heard(last_event_at=NOW - 60, listened_s=30 * DAY, missed=12),
    troubles={},
)
SILENT = PortalData(
    member_id="m1", domain="m1.example", trouble="silent", since="2025-12-18T08:00:00Z"
)


def found(**changes: Any) -> list[tuple[str, str]]:
    one = replace(WELL, **changes)
    return [(fault.what, fault.remedy) for fault in faults_of(one, now=NOW, warn_token_s=30 * DAY)]


def answered(**changes: Any) -> Answers:
    return replace(WELL.answers, **changes)


def test_a_portal_that_is_well_has_none() -> None:
    assert found() == []
    assert found(access="webhook", renewed_at=None, answers=Answers()) == []
    assert found(access="none", renewed_at=None, answers=Answers(), has_handler=False) == []


@pytest.mark.parametrize(
    ("changes", "what", "remedy"),
    [
        (
            {"answers": Answers(refusal="invalid_grant")},
            "the portal refuses the gateway: invalid_grant",
            "install the application in the portal again",
        ),
        (
            {"access": "webhook", "answers": Answers(refusal="invalid_credentials")},
            "the portal refuses the gateway: invalid_credentials",
            "make a new inbound webhook, and put it into [[portals]] rest_webhook",
        ),
        (
            {"answers": Answers(refusal="status 502 without an error", is_down=True)},
            "the portal does not answer: status 502 without an error",
            "try again later",
        ),
        (
            {"answers": Answers(refusal="self-signed", is_down=True, cause="certificate")},
            "the portal does not answer: self-signed",
            (
                "let the environment variable SSL_CERT_FILE name a file with the certificate of "
                "the portal's authority, for every process that calls it; or mend the portal's "
                "certificate"
            ),
        ),
        (
            {"answers": Answers(refusal="only by subscription", cause="plan")},
            "the portal refuses the gateway: only by subscription",
            "renew the portal's plan or subscription, or choose one with REST",
        ),
        (
            {"answers": Answers(refusal="portal not found", cause="gone")},
            "the portal refuses the gateway: portal not found",
            "if it is gone for good, take it out: `gateway portals remove`, or [[portals]]",
        ),
        (
            {"access": "webhook", "answers": Answers(refusal="no right", cause="right")},
            "the portal refuses the gateway: no right",
            "let a user with the right make a new inbound webhook for [[portals]] rest_webhook",
        ),
        (
            {"answers": answered(is_installed=False)},
            "the installation is not finished, so the portal sends nothing",
            "let an administrator open the application in the portal once",
        ),
        (
            {"answers": answered(is_paid=False)},
            "the application's or the portal's subscription has ended, so the portal sends nothing",
            "renew the subscription in the portal",
        ),
        (
            {"answers": answered(missing=("A", "B (offline)"))},
            "not bound: A, B (offline)",
            "see that `gateway reconcile` runs: it binds them at its next look",
        ),
        (
            {"answers": answered(missing=tuple("ABCDEFGHIJ"))},
            "not bound: A, B, C, D, E, F, G, H and 2 more",
            "see that `gateway reconcile` runs: it binds them at its next look",
        ),
        (
            {"answers": answered(missing=("A",)), "lacking": {"task": ("A",)}},
            "the application has no right `task`, so these cannot be bound: A",
            (
                "tick this right for the application in the portal, and install it again; "
                "or take these events out of [[events]]"
            ),
        ),
        (
            {
                "access": "webhook",
                "renewed_at": None,
                "answers": Answers(),
                "lacking": {"task": ("A",)},
            },
            "the inbound webhook has no right `task`, so what these are about cannot be fetched: A",
            "tick this right at the webhook in the portal",
        ),
        (
            {"has_handler": False},
            "nobody says where the portal is to deliver to",
            "set [bitrix24] public_url",
        ),
        (
            {"renewed_at": NOW - 151 * DAY},
            "the refresh token ends in 29 days, and was not renewed",
            "see that `gateway reconcile` runs, or install the application in the portal again",
        ),
        (
            {"answers": answered(waiting_since=NOW - 7200)},
            "3 changes wait in the portal's queue, since 2025-12-18T10:00:00Z",
            "see that `gateway reconcile` runs, and read its log",
        ),
        (
            {"troubles": {"silent": SILENT}},
            "silent since 2025-12-18T08:00:00Z",
            "try the way: `gateway portals canary`",
        ),
        (
            {"troubles": {"silent": SILENT}, "access": "none", "renewed_at": None},
            "silent since 2025-12-18T08:00:00Z",
            "change a comment in the portal, and watch `gateway tail`",
        ),
        (
            {"heard": Heard(quarantined=2)},
            "2 deliveries came with a token that is not registered",
            "look at them: `gateway portals quarantine list`",
        ),
        (
            {"heard": Heard(doubling=(7, 31))},
            "it delivers changes more than once (event_handler_id 7, 31)",
            (
                "delete one of them in the portal: an application and an outbound webhook, or "
                "two webhooks, lead to this gateway"
            ),
        ),
        (
            {"erase_since": NOW - DAY},
            "it was uninstalled, and its data are to be erased, since 2025-12-17T12:00:00Z",
            (
                "erase them everywhere, as by `consumers warehouse erase --portal m1`; "
                "then say so, which erases the rest: `gateway portals erased m1`"
            ),
        ),
    ],
)
def test_each_fault_is_named_with_what_to_do(
    changes: dict[str, Any], what: str, remedy: str
) -> None:
    assert found(**changes) == [(what, remedy)]


def test_causes_stand_before_what_follows_from_them() -> None:
    faults = found(
        answers=answered(refusal="x", missing=("A",)),
        troubles={"silent": SILENT},
        renewed_at=NOW - 179 * DAY,
    )

    assert [what.split()[0] for what, _ in faults] == ["the", "the", "not", "silent"]
