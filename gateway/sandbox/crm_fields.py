"""Knows the fields of deals and of smart processes' items, and how methods write them; pure.

The methods of deals write all as text, the universal ones numbers as numbers and names otherwise:
https://apidocs.bitrix24.com/api-reference/crm/deals/crm-deal-get.html,
https://apidocs.bitrix24.com/api-reference/crm/universal/object-fields.html.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final, Literal

from msgspec import Struct

from gateway.sandbox.entities import PortalEntity
from gateway.sandbox.field_names import camel_case, capitals
from gateway.sandbox.json_answers import iso

__all__ = ["DEAL_FIELDS", "ITEM_FIELDS", "CrmFields"]

_Kind = Literal["text", "number", "money", "time", "list"]


class _Field(Struct, frozen=True):
    """A field by its name in capitals; `item_name` where the universal methods call it otherwise.

    `told_by` gives the value of one that nobody writes.
    """

    name: str
    kind: _Kind = "text"
    default: Any = None
    item_name: str = ""
    told_by: Callable[[PortalEntity], Any] | None = None

    @property
    def universal_name(self) -> str:
        return self.item_name or camel_case(self.name)

    def value_in(self, entity: PortalEntity) -> Any:
        if self.told_by is not None:
            return self.told_by(entity)
        return entity.fields.get(self.name, self.default)


class CrmFields:
    """The fields of one kind of entity, and the custom ones that some have besides."""

    def __init__(self, *fields: _Field) -> None:
        self._fields = {field.name: field for field in fields}
        self._by_item_name = {field.universal_name: field.name for field in fields}
        self.defaults: Final[Mapping[str, Any]] = {
            field.name: field.default for field in fields if field.told_by is None
        }

    def names_in(self, entity: PortalEntity) -> dict[str, None]:
        """All its fields, in their order, with its custom ones behind."""
        return dict.fromkeys([*self._fields, *entity.fields])

    def __contains__(self, name: object) -> bool:
        return name in self._fields or str(name).startswith(("UF_", "PARENT_ID_"))

    def writable(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """What of a call's fields is written, by names in capitals; the rest goes without a word.

        Times and numbers are kept as they came.
        """
        named = {self.capitals(str(name)): value for name, value in told.items()}
        return {
            name: value
            for name, value in named.items()
            if name in self.defaults or (name in self and name not in self._fields)
        }

    def capitals(self, name: str) -> str:
        """A field's name in capitals, in whichever manner it is told."""
        return self._by_item_name.get(name) or capitals(name)

    def universal_name(self, name: str) -> str:
        """A field's name, told in capitals, as the universal methods write it."""
        return self._fields[name].universal_name if name in self._fields else camel_case(name)

    def as_text(self, entity: PortalEntity, name: str) -> str | None:
        """A field's value as the methods of deals write it."""
        kind, value = self._kind_and_value(entity, name)
        if value is None or (isinstance(value, str) and kind != "money"):
            return value
        if kind == "time":
            return iso(value)
        return f"{float(value):.2f}" if kind == "money" else str(value)

    def as_universal(self, entity: PortalEntity, name: str) -> Any:
        """A field's value as the universal methods write it."""
        kind, value = self._kind_and_value(entity, name)
        if kind == "time" and isinstance(value, int | float):
            return iso(value)
        if kind == "number" and isinstance(value, str):
            return int(value) if value.lstrip("-").isdigit() else 0
        if kind == "money":
            number = float(value or 0)
            return int(number) if number.is_integer() else number
        return value

    def _kind_and_value(self, entity: PortalEntity, name: str) -> tuple[_Kind, Any]:
        field = self._fields.get(name)
        if field is None:  # a custom one
            return "text", entity.fields.get(name)
        return field.kind, field.value_in(entity)


def _semantics(entity: PortalEntity) -> str:
    """Whether a deal was won (S), lost (F), or is under way (P), by its stage."""
    stage = str(entity.fields.get("STAGE_ID", "")).rpartition(":")[2]
    return {"WON": "S", "LOSE": "F"}.get(stage, "P")


def _is_closed(entity: PortalEntity) -> str:
    return "N" if _semantics(entity) == "P" else "Y"


_ID: Final = _Field("ID", "number", told_by=attrgetter("id"))
_TITLE: Final = _Field("TITLE", default="")
_LATER: Final = (
    _Field("SOURCE_ID", default=""),
    _Field("SOURCE_DESCRIPTION", default=""),
    _Field("MOVED_BY_ID", "number", told_by=attrgetter("moved_by"), item_name="movedBy"),
    _Field("MOVED_TIME", "time", told_by=attrgetter("moved_at")),
    _Field("LAST_ACTIVITY_BY", "number", told_by=attrgetter("changed_by")),
    _Field("LAST_ACTIVITY_TIME", "time", told_by=attrgetter("changed_at")),
    _Field("UTM_SOURCE"),
    _Field("UTM_MEDIUM"),
    _Field("UTM_CAMPAIGN"),
    _Field("UTM_CONTENT"),
    _Field("UTM_TERM"),
)
_MONEY: Final = (
    _Field("CURRENCY_ID", default="EUR"),
    _Field("OPPORTUNITY", "money", 0),
    _Field("IS_MANUAL_OPPORTUNITY", default="N"),
    _Field("TAX_VALUE", "money", 0),
)
_CLIENT: Final = (
    _Field("COMPANY_ID", "number", 0),
    _Field("CONTACT_ID", "number", 0),
)
_TERM: Final = (
    _Field("BEGINDATE", "time"),
    _Field("CLOSEDATE", "time"),
    _Field("ASSIGNED_BY_ID", "number", 1),
    _Field("CREATED_BY_ID", "number", told_by=attrgetter("created_by"), item_name="createdBy"),
    _Field("MODIFY_BY_ID", "number", told_by=attrgetter("changed_by"), item_name="updatedBy"),
    _Field("DATE_CREATE", "time", told_by=attrgetter("created_at"), item_name="createdTime"),
    _Field("DATE_MODIFY", "time", told_by=attrgetter("changed_at"), item_name="updatedTime"),
    _Field("OPENED", default="Y"),
)

DEAL_FIELDS: Final = CrmFields(
    _ID,
    _TITLE,
    _Field("TYPE_ID", default="SALE"),
    _Field("STAGE_ID", default="NEW"),
    _Field("PROBABILITY", "number"),
    *_MONEY,
    _Field("LEAD_ID", "number"),
    *_CLIENT,
    _Field("QUOTE_ID", "number"),
    *_TERM,
    _Field("CLOSED", told_by=_is_closed),
    _Field("COMMENTS", default=""),
    _Field("ADDITIONAL_INFO"),
    _Field("LOCATION_ID"),
    _Field("CATEGORY_ID", "number", 0),
    _Field("STAGE_SEMANTIC_ID", told_by=_semantics),
    _Field("IS_NEW", default="Y"),
    _Field("IS_RECURRING", default="N"),
    _Field("IS_RETURN_CUSTOMER", default="N"),
    _Field("IS_REPEATED_APPROACH", default="N"),
    _Field("ORIGINATOR_ID"),
    _Field("ORIGIN_ID"),
    *_LATER,
)

ITEM_FIELDS: Final = CrmFields(
    _ID,
    _Field("XML_ID"),
    _TITLE,
    *_TERM,
    *_CLIENT,
    _Field("STAGE_ID", default="DT1_1:NEW"),
    _Field("PREVIOUS_STAGE_ID", default=""),
    _Field("CATEGORY_ID", "number", 0),
    *_MONEY,
    _Field("MYCOMPANY_ID", "number", 0),
    _Field("WEBFORM_ID", "number", 0),
    *_LATER,
)
