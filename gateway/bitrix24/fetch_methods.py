"""Knows by which methods one object of a portal is asked for, and what their answers mean; no I/O.

Each row says how a method is told which object is meant, where that stands in its answer, and how
it says that there is none: https://apidocs.bitrix24.com/api-reference/. Methods differ in all of
it. A method that has no row can be declared with the name of its parameter.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from gateway.bitrix24.answers import members_of
from gateway.bitrix24.endpoints import method_name
from gateway.bitrix24.errors import NotFound, Refused
from gateway.bitrix24.rest_comment import NotAComment, comment_of
from gateway.bitrix24.rest_object import NotAnObject, object_of
from gateway.contract import COMMENT_SUBJECT, Comment, EventSubject, FetchedObject

__all__ = ["COMMENT_METHOD", "FETCH_METHODS", "FetchMethod", "Fetched", "fetch_method"]

Fetched = Comment | FetchedObject
"""What is said of an object in its event: `data.comment` of a comment, `data.object` of others."""

_ENTITY_TYPES: Final = {
    "lead": 1,
    "deal": 2,
    "contact": 3,
    "company": 4,
    "quote": 7,
    "smart_invoice": 31,
}
# https://apidocs.bitrix24.com/api-reference/crm/data-types.html#object_type
_ITEM: Final = re.compile(r"item\.([1-9]\d{0,8})")
_NO_SUCH_TYPE: Final = ("spa not found", "смарт-процесс не найден")
_NO_SUCH_METHOD: Final = "error_method_not_found"
_NOTHING: Final = re.compile(r"(?!)")


class FetchMethod(Struct, frozen=True, kw_only=True, eq=False):
    """A method that answers with one object.

    `id_parameter` is what names the object (`FILTER.ID` within a map), `parameters` what is sent
    besides; `needs_entity_type` says that `entityTypeId` is, too. `place` leads to the object
    within the result; `of_row` is for methods that answer with a list. `is_gone` finds, in the
    description of a refusal, that there is no such object: the reference has no code for that in
    these methods. A method that `hides` answers with nothing when there is no such object and
    when it may not be seen: then nobody knows which. `of` are the kinds of subjects that it knows;
    empty if nobody has said.
    """

    name: str
    of: frozenset[str] = frozenset()
    id_parameter: str = "id"
    parameters: Mapping[str, Any] = {}
    needs_entity_type: bool = False
    place: tuple[str, ...] = ()
    of_row: bool = False
    is_gone: re.Pattern[str] = _NOTHING
    hides: bool = False
    fetched_as: type[Comment] | type[FetchedObject] = FetchedObject

    def why_not(self, subject_kind: str) -> str | None:
        """Why it cannot fetch a kind of subject; None if it can, as far as is known."""
        if (self.fetched_as is Comment) != (subject_kind == COMMENT_SUBJECT):
            return f"{self.name} does not answer with what the event's subject, {subject_kind}, is"
        if self.needs_entity_type and not (
            subject_kind in _ENTITY_TYPES or subject_kind.startswith("item.")
        ):
            return f"{self.name} needs an entityTypeId, and {subject_kind} has none"
        if self.of and subject_kind not in self.of:
            return f"{self.name} gives {' and '.join(sorted(self.of))}, not {subject_kind}"
        return None

    def parameters_for(self, subject: EventSubject) -> dict[str, Any]:
        """What the method is called with; raises ValueError for a subject that it cannot fetch."""
        if subject.id is None:
            raise ValueError(f"{subject}: the id is missing")
        asked: dict[str, Any] = dict(self.parameters)
        outer, dot, inner = self.id_parameter.partition(".")
        asked[outer] = {inner: subject.id} if dot else subject.id
        if self.needs_entity_type:
            asked["entityTypeId"] = _entity_type_of(subject.kind)
        return asked

    def says_gone(self, error: Refused) -> bool:
        """Whether a refusal of this very call says that there is no such object."""
        if error.code == _NO_SUCH_METHOD:
            return False
        if isinstance(error, NotFound):
            return not error.description.lower().startswith(_NO_SUCH_TYPE)
        return self.is_gone.search(error.description) is not None

    def found_in(self, result: Any) -> Any:
        """The object's own tree within a result; None if the result is empty."""
        for name in self.place:
            result = members_of(result).get(name)
        if self.of_row:
            rows = list(members_of(result).values())
            return rows[0] if rows else None
        if not self.place and isinstance(result, dict) and _id_in(result) is None:
            # A method that nobody described: many answer with a map of one object.
            inner = [one for one in result.values() if isinstance(one, dict)]
            return inner[0] if len(inner) == len(result) == 1 else result
        return result or None

    def described(
        self, tree: Any, subject: EventSubject, *, fetched_at: datetime
    ) -> Fetched | None:
        """What is said of the object; None if what came is not the object that was asked for."""
        said_id = _id_in(tree)
        if said_id is not None and said_id != str(subject.id):
            return None
        try:
            if self.fetched_as is Comment:
                return comment_of(tree, fetched_at=fetched_at)
            return object_of(tree, fetched_at=fetched_at)
        except (NotAComment, NotAnObject):
            return None


def _id_in(tree: Any) -> str | None:
    """The id that an object says it has, as text."""
    for name in ("ID", "id"):
        value = tree.get(name) if isinstance(tree, dict) else None
        if isinstance(value, int | str) and not isinstance(value, bool):
            return str(value)
    return None


def _entity_type_of(subject_kind: str) -> int:
    if (found := _ITEM.fullmatch(subject_kind)) is not None:
        return int(found[1])
    try:
        return _ENTITY_TYPES[subject_kind]
    except KeyError:
        raise ValueError(f"{subject_kind} has no entityTypeId") from None


def _row(name: str, kind: str, *, place: str = "", gone: str = "") -> FetchMethod:
    """A method that takes `id`, and refuses with the words `gone` when there is no such object."""
    return FetchMethod(
        name=name,
        of=frozenset({kind}),
        place=(place,) if place else (),
        is_gone=re.compile(rf"\b{gone}", re.IGNORECASE) if gone else _NOTHING,
    )


def _list(name: str, kind: str, *, id_parameter: str) -> FetchMethod:
    """A method that answers with a list of what its filter lets through."""
    return FetchMethod(
        name=name, of=frozenset({kind}), id_parameter=id_parameter, of_row=True, hides=True
    )


_NOT_THERE: Final = "(?:is not exists|does not exist|not found)"
# The words of the modules sale and catalog, whose codes for it differ from module to module.

_TASK_FIELDS: Final = (
    *("ID", "TITLE", "DESCRIPTION", "STATUS", "PRIORITY", "RESPONSIBLE_ID", "CREATED_BY"),
    *("ACCOMPLICES", "AUDITORS", "CREATED_DATE", "CHANGED_DATE", "CLOSED_DATE", "DEADLINE"),
    *("START_DATE_PLAN", "END_DATE_PLAN", "GROUP_ID", "STAGE_ID", "PARENT_ID", "CHAT_ID", "TAGS"),
    *("UF_CRM_TASK", "UF_TASK_WEBDAV_FILES"),
)
# What is not named can change with the portal's version, and some of it does with each look.

COMMENT_METHOD: Final = FetchMethod(name="crm.timeline.comment.get", fetched_as=Comment)
"""By which comments are fetched without anybody's declaring it."""

FETCH_METHODS: Final[Mapping[str, FetchMethod]] = {
    row.name.lower(): row
    for row in (
        COMMENT_METHOD,
        FetchMethod(name="crm.item.get", needs_entity_type=True, place=("item",)),
        _row("crm.deal.get", "deal"),
        _row("crm.deal.recurring.get", "recurring_deal", gone="recurring deal is not found"),
        _row("crm.lead.get", "lead"),
        _row("crm.contact.get", "contact"),
        _row("crm.company.get", "company"),
        _row("crm.quote.get", "quote"),
        _row("crm.invoice.get", "invoice"),
        _row("crm.product.get", "crm_product"),
        _row("crm.currency.get", "currency"),
        _row("crm.requisite.get", "requisite", gone="with ID '.*' is not found"),
        _row("crm.requisite.bankdetail.get", "bank_detail", gone="with ID '.*' is not found"),
        _row("crm.activity.get", "activity", gone="activity is not found"),
        _row(
            "crm.documentgenerator.document.get",
            "document",
            place="document",
            gone="document not found",
        ),
        FetchMethod(
            name="tasks.task.get",
            of=frozenset({"task"}),
            id_parameter="taskId",
            parameters={"select": _TASK_FIELDS},
            place=("task",),
            hides=True,
        ),
        _list("user.get", "user", id_parameter="FILTER.ID"),
        _list("sonet_group.get", "workgroup", id_parameter="FILTER.ID"),
        _list("log.blogpost.get", "post", id_parameter="POST_ID"),
        FetchMethod(name="calendar.event.getbyid", of=frozenset({"calendar_entry"}), hides=True),
        _row("booking.v1.booking.get", "booking", place="booking", gone="booking not found"),
        _row(
            "booking.v1.resource.get",
            "booking_resource",
            place="resource",
            gone="resource not found",
        ),
        _row("catalog.product.get", "product", place="product", gone=f"product {_NOT_THERE}"),
        _row("catalog.price.get", "price", place="price", gone=f"price {_NOT_THERE}"),
        _row("sale.order.get", "order", place="order", gone=f"order {_NOT_THERE}"),
        _row("sale.payment.get", "payment", place="payment", gone=f"payment {_NOT_THERE}"),
        _row("sale.shipment.get", "shipment", place="shipment", gone=f"shipment {_NOT_THERE}"),
        FetchMethod(name="disk.file.get"),
    )
}
"""By the method's name in lower case: portals take both."""


def fetch_method(name: str, *, id_parameter: str | None = None) -> FetchMethod:
    """The row of a method, or one for a method that has none and takes the id so.

    Raises ValueError, with what is wrong, for what is no method's name and for a method without a
    row whose parameter is not told.
    """
    known = FETCH_METHODS.get(name.lower())
    if known is not None and id_parameter in (None, known.id_parameter):
        return known
    if id_parameter is None:
        raise ValueError(f"{name} is no method whose parameters are known: say how it takes the id")
    return FetchMethod(name=method_name(name), id_parameter=id_parameter, hides=True)
