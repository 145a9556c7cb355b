"""Carries out `crm.item.*`, the universal methods: for deals and for smart processes' items.

https://apidocs.bitrix24.com/api-reference/crm/universal/index.html. What they change of a deal is
told as any other change of a deal.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.sandbox.call_results import ListPage, RestError
from gateway.sandbox.calls import Call, Method
from gateway.sandbox.comments import TimelineEntity
from gateway.sandbox.crm_fields import DEAL_FIELDS, ITEM_FIELDS, CrmFields
from gateway.sandbox.entities import Entities, PortalEntity
from gateway.sandbox.parameters import listed
from gateway.sandbox.portal_content import DEAL_TYPE_ID
from gateway.sandbox.refusal import Refusal
from gateway.sandbox.row_selection import UnknownField, filtered, ordered, page_of

__all__ = ["ITEM_METHODS"]


class _Kind:
    """What a call is about: a type's entities, and their fields."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.type_id = call.number("entityTypeId")
        entities = call.portal.content.of_type(self.type_id)
        if entities is None:
            raise RestError(400, "NOT_FOUND", "SPA not found")
        self.entities: Entities = entities
        self.fields: CrmFields = DEAL_FIELDS if self.type_id == DEAL_TYPE_ID else ITEM_FIELDS

    def may_read(self, entity_id: int) -> bool:
        entity = TimelineEntity(self.entities.kind, entity_id)
        return self._call.portal.users.may_read(self._call.caller.user_id, entity)

    def found(self, denied: str) -> PortalEntity:
        try:
            entity = self.entities.find(self._call.number("id"))
        except Refusal:
            raise RestError(400, "NOT_FOUND", "Item not found") from None
        if not self.may_read(entity.id):
            raise RestError(400, "ACCESS_DENIED", denied)
        return entity

    def told(self, entity: PortalEntity, names: Mapping[str, None] | None = None) -> dict[str, Any]:
        """An entity, or those of its fields, as these methods write it."""
        keeps_names = self._call.text("useOriginalUfNames") == "Y"
        told = {
            (
                name if keeps_names and name.startswith("UF_") else self.fields.universal_name(name)
            ): self.fields.as_universal(entity, name)
            for name in names or self.fields.names_in(entity)
        }
        return told | ({} if names else {"entityTypeId": self.type_id})

    def written(self) -> dict[str, Any]:
        """The fields that the call brings."""
        return self.fields.writable(self._map("fields"))

    def asked(self, parameter: str) -> dict[str, Any]:
        """A filter or an order by names in capitals, in front of which a test may stand."""
        asked = {}
        for key, value in self._map(parameter).items():
            name = key.lstrip("!=<>@%")
            asked[key.removesuffix(name) + self.fields.capitals(name)] = value
        return asked

    def _map(self, parameter: str) -> dict[str, Any]:
        value = self._call.get(parameter)
        return {str(key): one for key, one in value.items()} if isinstance(value, Mapping) else {}


def _get(call: Call) -> dict[str, Any]:
    kind = _Kind(call)
    return {"item": kind.told(kind.found("You do not have permission to view this item"))}


def _list(call: Call) -> ListPage:
    kind = _Kind(call)
    items = [one for one in kind.entities.all() if kind.may_read(one.id)]
    try:
        items = filtered(items, kind.asked("filter"), kind.fields, kind.fields.as_universal)
    except UnknownField as key:
        reason = f"Invalid filter: field '{key}' is not allowed in filter"
        raise RestError(400, "INVALID_ARG_VALUE", reason) from None
    order = kind.asked("order") or {"ID": "ASC"}
    items = ordered(items, order, kind.fields, kind.fields.as_universal)
    select = [str(name) for name in listed(call.get("select"))]
    names = None
    if select and "*" not in select:
        names = dict.fromkeys(["ID", *map(kind.fields.capitals, select)])
    return page_of([kind.told(one, names) for one in items], call.number("start"), name="items")


def _add(call: Call) -> dict[str, Any]:
    kind = _Kind(call)
    item_id = kind.entities.add(kind.written(), actor=call.actor)
    return {"item": kind.told(kind.entities.find(item_id))}


def _update(call: Call) -> dict[str, Any]:
    kind = _Kind(call)
    item = kind.found("Access denied")
    kind.entities.update(item.id, kind.written(), actor=call.actor)
    return {"item": kind.told(item)}


def _delete(call: Call) -> list[Any]:
    kind = _Kind(call)
    kind.entities.delete(kind.found("Access denied").id, actor=call.actor)
    return []


ITEM_METHODS: Final[dict[str, Method]] = {
    "crm.item.get": _get,
    "crm.item.list": _list,
    "crm.item.add": _add,
    "crm.item.update": _update,
    "crm.item.delete": _delete,
}
