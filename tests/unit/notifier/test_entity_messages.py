"""What people are told of deals, tasks and whatever else is not a comment."""

from typing import Any

import pytest

from consumers.notifier.notices import Notice, key_of, news_of
from consumers.notifier.samples import samples
from consumers.testing import comment_event, entity_event
from gateway.bitrix24.bbcode import Dialect
from gateway.contract import FetchedObject, decode_event, encode_event
from gateway.event_subscription import EventSubscription
from gateway.settings import EventSettings
from tests.unit.notifier.sales_templates import SAMPLES, templates


def notice(subject: str, event_type: str, found: FetchedObject | None = None) -> Notice:
    event = entity_event(subject, event_type, domain="acme.bitrix24.com", object=found)
    return Notice(
        event_id=event.id, raw=encode_event(event), first="changed", last="changed", since_ms=0
    )


def test_a_deal_with_who_how_it_stands_and_where_it_is() -> None:
    message = templates("markdown").message(SAMPLES["a deal"])

    assert message.title == "Deal updated: Ninety desks for the *new* office (acme.bitrix24.com)"
    assert message.body.splitlines() == [
        r"**Ninety desks for the \*new\* office**",
        "Deal 77 was updated by user 7, 18 Dec 2025 09:18 CET.",
        "Stage: PREPARATION",
        "Amount: 5200 EUR",
        "Responsible: user 8",
        "[Open in Bitrix24](https://acme.bitrix24.com/crm/deal/details/77/)",
    ]
    older = templates().message(SAMPLES["a deal by older names"]).body
    assert "Amount: 5200.00 EUR\nResponsible: user 8\n" in older


def test_a_task_on_no_board_has_no_stage() -> None:
    found = FetchedObject(state="present", fields={"id": "5", "title": "Call", "stageId": "0"})

    body = templates().message([notice("task/5", "bitrix24.task.updated", found)]).body

    assert "Stage" not in body


def test_a_task_in_russian_with_its_text_when_it_is_new() -> None:
    message = templates("text", "ru").message(SAMPLES["a new task"])

    assert message.title == "Задача добавлена: Send the offer (acme.bitrix24.com)"
    assert message.body.splitlines() == [
        "Send the offer",
        "> With the new prices, to Anna.",
        "> By Friday.",
        "",
        "Задача 5 добавлена, пользователь 7, 18.12.2025 09:18 CET.",
        "Статус: выполняется",
        "Ответственный: пользователь 8",
        "Крайний срок: 19.12.2025 19:00 CET",
        "Открыть в Битрикс24: https://acme.bitrix24.com/company/personal/user/8/tasks/task/view/5/",
    ]
    assert "prices" not in templates("text", "ru").message(SAMPLES["a task"]).body


@pytest.mark.parametrize(
    ("sample", "language", "said"),
    [
        ("a deal that cannot be seen", "en", "could not be had: the gateway may not see it."),
        ("a deal that cannot be seen", "ru", "Данные не получены: у шлюза нет прав на чтение."),
        ("a task that cannot be seen", "en", "it is not there, or the gateway may not see it."),
        ("a task that cannot be seen", "ru", "объекта нет, или у шлюза нет прав на чтение."),
    ],
)
def test_what_could_not_be_fetched_is_told_with_the_reason(
    sample: str, language: str, said: str
) -> None:
    body = templates(language=language).message(SAMPLES[sample]).body
    assert said in body


def test_of_what_is_gone_there_is_what_was_last_known_and_no_link() -> None:
    message = templates().message(SAMPLES["a deal's end"])

    assert message.title == "Deal 77 deleted (acme.bitrix24.com)"
    assert message.body.splitlines()[1:] == ["Stage: LOSE", "Responsible: user 8"]


def test_an_event_without_its_object_says_what_it_is_about() -> None:
    assert (
        templates().message(SAMPLES["lead.updated"]).title == "Lead 77 updated (acme.bitrix24.com)"
    )
    item = notice("item.1032/6", "bitrix24.crm.item.1032.updated")
    assert (
        templates()
        .message([item])
        .body.endswith("https://acme.bitrix24.com/crm/type/1032/details/6/")
    )
    nobody = notice("task", "bitrix24.task.updated")
    assert templates().message([nobody]).title == "Task updated (acme.bitrix24.com)"


@pytest.mark.parametrize(
    ("dialect", "live"),
    [
        ("markdown", "[a](https://evil.example)"),
        ("html", "<b>x</b>"),
        ("bbcode", "[url=https://evil.example]"),
        ("text", "@all"),
    ],
)
def test_what_somebody_typed_makes_no_format_of_its_own(dialect: Dialect, live: str) -> None:
    typed = "<b>x</b> [url=https://evil.example]acme[/url] [a](https://evil.example) @all"
    found = FetchedObject(state="present", fields={"title": typed, "stageId": typed})
    told = [notice("deal/77", "bitrix24.crm.deal.updated", found)]

    assert "evil.example" in templates(dialect).message(told).body
    assert live not in templates(dialect).message(told).body
    assert live not in templates(dialect).message(told * 2).body


def test_templates_of_a_route_see_the_fields_of_the_form_and_of_the_object() -> None:
    own = templates(
        title="{{ event.fields.FIELDS.ID }} {{ entity.fields.get('opportunity') }}",
        body="{{ entity.kind }}",
    )
    message = own.message(SAMPLES["a deal"])
    assert (message.title, message.body) == ("77 5200", "deal")


def test_a_digest_has_a_line_for_each_event() -> None:
    message = templates("markdown").message(SAMPLES["a digest of all sorts"])

    assert message.title == "4 notices"
    first, gone, *_ = message.body.splitlines()
    assert first == (
        "• 18 Dec 2025 09:18 CET [deal 77](https://acme.bitrix24.com/crm/deal/details/77/) "
        r"updated by user 7: Ninety desks for the \*new\* office (acme.bitrix24.com)"
    )
    assert gone == "• 18 Dec 2025 09:18 CET deal 77 deleted by user 7 (acme.bitrix24.com)"


def test_smart_processes_that_a_route_names_have_samples_of_their_own() -> None:
    found = [decode_event(one[0].raw).type for _, one in samples(["bitrix24.crm.item.140.*"])]
    assert found == [
        f"bitrix24.crm.item.140.{change}" for change in ("added", "updated", "deleted")
    ]


def test_samples_are_of_events_that_are_taken() -> None:
    taken = EventSubscription(
        [
            EventSettings(name="onCrmDealUpdate"),
            EventSettings(name="onAcmeThingTurn", type="bitrix24.acme.thing.updated"),
        ]
    ).rows
    found = {
        decode_event(n.raw).type for _, notices in samples(["*.updated"], taken) for n in notices
    }

    assert found == {"bitrix24.crm.deal.updated", "bitrix24.acme.thing.updated"}
    assert len(dict(samples(["bitrix24.portal.*"], taken))) == 5, "the gateway's own always come"


def test_events_of_one_subject_are_one_notice_and_others_stand_alone() -> None:
    first, second = entity_event("deal/77"), entity_event("deal/77", "bitrix24.crm.deal.added")
    other = entity_event("deal/78")
    nameless = entity_event("deal")

    assert key_of(first) == key_of(second) == "portal:deal/77"
    assert len({key_of(one) for one in (first, other, nameless, comment_event(77))}) == 4
    assert key_of(nameless) == nameless.id


@pytest.mark.parametrize(
    ("change", "state", "kind"),
    [
        ("added", "present", "added"),
        ("updated", "present", "changed"),
        ("updated", "deleted", "gone"),
        ("deleted", "deleted", "deleted"),
        ("moved", "unavailable", "changed"),
    ],
)
def test_what_an_event_means_for_what_waits(change: str, state: Any, kind: str) -> None:
    event = entity_event(
        "deal/77", f"bitrix24.crm.deal.{change}", object=FetchedObject(state=state)
    )
    assert news_of(event, b"", now_ms=1).kind == kind
