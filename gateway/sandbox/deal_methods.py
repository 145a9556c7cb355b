"""Carries out `crm.deal.*`.

https://apidocs.bitrix24.com/api-reference/crm/deals/index.html. Errors have an empty code. All
values are text.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.sandbox.call_results import ListPage, RestError
from gateway.sandbox.calls import Call, Method
from gateway.sandbox.comments import TimelineEntity
from gateway.sandbox.crm_fields import DEAL_FIELDS
from gateway.sandbox.entities import PortalEntity
from gateway.sandbox.parameters import folded, listed
from gateway.sandbox.refusal import Refusal
from gateway.sandbox.row_selection import UnknownField, filtered, ordered, page_of

__all__ = ["DEAL_METHODS"]


def _get(call: Call) -> dict[str, Any]:
    deal = _found(call)
    return {name: DEAL_FIELDS.as_text(deal, name) for name in DEAL_FIELDS.names_in(deal)}


def _list(call: Call) -> ListPage:
    """Without `select`, what is no custom field; what may not be read is left out."""
    deals = [one for one in call.portal.deals.all() if _may_read(call, one.id)]
    try:
        deals = filtered(deals, _map(call, "filter"), DEAL_FIELDS, DEAL_FIELDS.as_text)
    except UnknownField:
        deals = []
    order = _map(call, "order") or {"ID": "ASC"}
    deals = ordered(deals, order, DEAL_FIELDS, DEAL_FIELDS.as_text)
    wanted = {str(name).upper() for name in listed(call.get("select"))} or {"*"}
    rows = [
        {name: DEAL_FIELDS.as_text(deal, name) for name in _selected(deal, wanted)}
        for deal in deals
    ]
    return page_of(rows, call.number("start"))


def _add(call: Call) -> int:
    fields = DEAL_FIELDS.writable(_map(call, "fields"))
    title = fields.get("TITLE")
    deal_id = call.portal.deals.add(fields, actor=call.actor)
    if not title:  # the portal names it by its number
        call.portal.deals.find(deal_id).fields["TITLE"] = f"Deal #{deal_id}"
    return deal_id


def _update(call: Call) -> bool:
    deal = _found(call)
    call.portal.deals.update(deal.id, DEAL_FIELDS.writable(_map(call, "fields")), actor=call.actor)
    return True


def _delete(call: Call) -> bool:
    call.portal.deals.delete(_found(call).id, actor=call.actor)
    return True


def _found(call: Call) -> PortalEntity:
    deal_id = call.number("id")
    if not deal_id:
        raise RestError(400, "", "ID is not defined or invalid.")
    try:
        deal = call.portal.deals.find(deal_id)
    except Refusal:
        raise RestError(400, "", "Not found") from None
    if not _may_read(call, deal_id):
        raise RestError(400, "", "Access denied.")
    return deal


def _may_read(call: Call, deal_id: int) -> bool:
    return call.portal.users.may_read(call.caller.user_id, TimelineEntity("deal", deal_id))


def _map(call: Call, name: str) -> dict[str, Any]:
    value = call.get(name)
    if value is None or value == []:
        return {}
    if not isinstance(value, Mapping):
        raise RestError(400, "", f"Parameter '{name}' must be array.")
    return folded(value)


def _selected(deal: PortalEntity, wanted: set[str]) -> list[str]:
    return [
        name
        for name in DEAL_FIELDS.names_in(deal)
        if name in wanted or (("UF_*" if name.startswith("UF_") else "*") in wanted)
    ]


DEAL_METHODS: Final[dict[str, Method]] = {
    "crm.deal.get": _get,
    "crm.deal.list": _list,
    "crm.deal.add": _add,
    "crm.deal.update": _update,
    "crm.deal.delete": _delete,
}
