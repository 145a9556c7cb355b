"""How objects are asked for, and what the answers of each method mean."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.bitrix24.answers import error_of
from gateway.bitrix24.errors import Refused
from gateway.bitrix24.fetch_methods import FETCH_METHODS, fetch_method
from gateway.contract import EVENT_TYPES, EventSubject, FetchedObject

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def parameters(method: str, subject: str) -> dict[str, Any]:
    return fetch_method(method).parameters_for(EventSubject.parse(subject))


@pytest.mark.parametrize(
    ("method", "subject", "asked"),
    [
        ("crm.item.get", "deal/7", {"id": 7, "entityTypeId": 2}),
        ("crm.item.get", "lead/7", {"id": 7, "entityTypeId": 1}),
        ("crm.item.get", "contact/7", {"id": 7, "entityTypeId": 3}),
        ("crm.item.get", "company/7", {"id": 7, "entityTypeId": 4}),
        ("crm.item.get", "quote/7", {"id": 7, "entityTypeId": 7}),
        ("crm.item.get", "item.31/7", {"id": 7, "entityTypeId": 31}),
        ("crm.item.get", "item.1032/7", {"id": 7, "entityTypeId": 1032}),
        ("crm.deal.get", "deal/7", {"id": 7}),
        ("crm.currency.get", "currency/USD", {"id": "USD"}),
        ("user.get", "user/7", {"FILTER": {"ID": 7}}),
        ("log.blogpost.get", "post/7", {"POST_ID": 7}),
        ("crm.timeline.comment.get", "comment/7", {"id": 7}),
    ],
)
def test_a_method_is_told_which_object_is_meant(
    method: str, subject: str, asked: dict[str, Any]
) -> None:
    assert parameters(method, subject) == asked


def test_a_task_is_asked_for_by_named_fields() -> None:
    asked = parameters("tasks.task.get", "task/7")
    assert asked["taskId"] == 7
    assert {"TITLE", "STATUS", "RESPONSIBLE_ID", "UF_CRM_TASK"} <= set(asked["select"])


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("crm.item.get", "task"),
        ("crm.timeline.comment.get", "deal"),
        ("crm.deal.get", "comment"),
        ("crm.deal.get", "deal_field"),
        ("tasks.task.get", "task_comment"),
    ],
)
def test_a_method_that_cannot_know_the_subject_is_refused(method: str, kind: str) -> None:
    assert fetch_method(method).why_not(kind) is not None
    assert fetch_method("crm.item.get").why_not("item.{entity_type_id}") is None


@pytest.mark.parametrize(
    ("method", "error", "is_gone"),
    [
        ("crm.item.get", ("NOT_FOUND", "Item not found"), True),
        ("crm.item.get", ("NOT_FOUND", "Element not found"), True),
        ("crm.item.get", ("NOT_FOUND", "SPA not found"), False),
        ("crm.deal.get", ("", "Not found"), True),
        ("crm.deal.get", ("", "Access denied"), False),
        ("crm.activity.get", ("", "Activity is not found."), True),
        ("crm.requisite.get", ("", "The Requisite with ID '27' is not found"), True),
        ("catalog.product.get", (0, "product does not exist"), True),
        ("catalog.product.get", (200040300000, "Information block does not exist"), False),
        ("sale.order.get", (200540400001, "order is not exists"), True),
        ("sale.payment.get", (200640400001, "payment is not exists"), True),
        ("catalog.price.get", ("", "Price is not exists"), True),
        ("booking.v1.booking.get", (1021, "Booking not found"), True),
        ("crm.deal.recurring.get", ("", "Recurring deal is not found."), True),
        ("crm.deal.recurring.get", ("", "Recurring is not allowed"), False),
        ("crm.item.get", ("NOT_FOUND", "Элемент не найден"), True),
        ("crm.item.get", ("NOT_FOUND", "Смарт-процесс не найден"), False),
        ("disk.file.get", ("ERROR_NOT_FOUND", "Could not find entity with id `9`"), True),
        ("crm.deal.get", ("ERROR_METHOD_NOT_FOUND", "Method not found!"), False),
        ("crm.activity.get", ("ERROR_METHOD_NOT_FOUND", "Method not found!"), False),
    ],
)
def test_only_the_words_of_the_method_say_that_an_object_is_gone(
    method: str, error: tuple[Any, str], *, is_gone: bool
) -> None:
    code, description = error
    tree = {"error": code, "error_description": description}
    said = error_of(tree, status=0, now=0.0, secrets=())
    assert isinstance(said, Refused)
    assert fetch_method(method).says_gone(said) is is_gone


@pytest.mark.parametrize(
    ("method", "result", "tree"),
    [
        ("crm.item.get", {"item": {"id": 7}}, {"id": 7}),
        ("crm.item.get", [], None),
        ("crm.deal.get", {"ID": "7"}, {"ID": "7"}),
        ("tasks.task.get", {"task": {"id": "7"}}, {"id": "7"}),
        ("tasks.task.get", [], None),
        ("user.get", [{"ID": "7"}], {"ID": "7"}),
        ("user.get", [], None),
        ("crm.currency.get", {"CURRENCY": "USD", "LANG": {"de": {}}},
         {"CURRENCY": "USD", "LANG": {"de": {}}}),
    ],
)  # fmt: skip
def test_the_object_stands_where_its_method_puts_it(method: str, result: Any, tree: Any) -> None:
    assert fetch_method(method).found_in(result) == tree


def test_another_object_than_the_one_that_was_asked_for_is_none() -> None:
    method, subject = fetch_method("crm.item.get"), EventSubject("deal", 7)
    found = method.described({"id": 7, "title": "x"}, subject, fetched_at=NOW)
    assert isinstance(found, FetchedObject)
    assert method.described({"id": "7", "title": "x"}, subject, fetched_at=NOW) is not None
    assert method.described({"id": 8, "title": "x"}, subject, fetched_at=NOW) is None
    assert method.described(None, subject, fetched_at=NOW) is None


def test_a_method_without_a_row_is_declared_with_its_parameter() -> None:
    with pytest.raises(ValueError, match="say how it takes the id"):
        fetch_method("my.thing.get")
    mine = fetch_method("my.thing.get", id_parameter="THING_ID")
    assert mine.parameters_for(EventSubject("thing", "a7")) == {"THING_ID": "a7"}
    assert mine.found_in({"thing": {"id": "a7", "x": 1}}) == {"id": "a7", "x": 1}
    assert mine.found_in({"ID": "a7", "x": {"y": 1}}) == {"ID": "a7", "x": {"y": 1}}


def test_every_kind_that_a_method_gives_is_one_of_the_table() -> None:
    kinds = {row.subject_kind for row in EVENT_TYPES}
    assert {kind for row in FETCH_METHODS.values() for kind in row.of} <= kinds


def test_names_of_methods_may_be_written_as_the_reference_does() -> None:
    assert fetch_method("calendar.event.getById") is fetch_method("calendar.event.getbyid")
    assert all(name == name.lower() for name in FETCH_METHODS)
