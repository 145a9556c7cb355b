"""Carries out `crm.timeline.comment.*`.

https://apidocs.bitrix24.com/api-reference/crm/timeline/comments/index.html. The methods that read
give errors an empty code; those that write have codes.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from gateway.php_numbers import integer_of
from gateway.sandbox.call_results import ListPage, RestError
from gateway.sandbox.calls import Call, Method
from gateway.sandbox.comments import File, TimelineComment, TimelineEntity, stored_text
from gateway.sandbox.json_answers import as_php_array, iso
from gateway.sandbox.parameters import folded, listed
from gateway.sandbox.refusal import Refusal
from gateway.sandbox.row_selection import ordered, page_of

__all__ = ["COMMENT_METHODS"]

_ORDERED_BY: Final = ("ID", "CREATED", "AUTHOR_ID")
_OWNER_TYPES: Final = {1: "lead", 2: "deal", 3: "contact", 4: "company", 7: "quote", 14: "order",
                       31: "smart_invoice"}  # fmt: skip
_FIRST_DYNAMIC_TYPE: Final = 128

_REFUSALS: Final = {
    "NOT_FOUND": "Not found.",
    "ACCESS_DENIED": "Access denied.",
    "OWNER_NOT_FOUND": "Owner was not found",
    "INVALID_ARG_VALUE": "Empty comment message",
    "MULTIPLE_BINDINGS": "Element has multiple bindings",
}


def _get(call: Call) -> Any:
    comment_id = call.number("id")
    if not comment_id:
        raise RestError(400, "", "ID is not defined or invalid.")
    try:
        comment = call.portal.comments.find(comment_id)
    except Refusal:
        raise RestError(400, "", "Not found.") from None
    readable = [entity for entity in comment.entities if _may_read(call, entity)]
    if not readable:
        raise RestError(400, "", "Access denied.")
    return _row(call, comment, readable[0])


def _list(call: Call) -> ListPage:
    asked = call.map("filter")
    entity = TimelineEntity(
        str(asked.get("ENTITY_TYPE", "")).lower(), integer_of(asked.get("ENTITY_ID")) or 0
    )
    if not entity.type or not entity.id:
        raise RestError(400, "", "Filter by ENTITY_ID and ENTITY_TYPE is required.")
    if not _may_read(call, entity):
        raise RestError(400, "", "Access denied.")
    rows = [_row(call, comment, entity) for comment in call.portal.comments.of(entity)]
    rows = ordered(rows, call.map("order"), _ORDERED_BY, lambda row, field: row[field])
    wanted = {str(field).upper() for field in listed(call.get("select"))} - {"*"}
    told = [
        {name: value for name, value in row.items() if not wanted or name in wanted} for row in rows
    ]
    return page_of(told, call.number("start"))


def _add(call: Call) -> int:
    fields = _fields(call)
    missing = [name for name in ("ENTITY_ID", "ENTITY_TYPE", "COMMENT") if name not in fields]
    if missing:
        raise _missing("fields")
    entity = TimelineEntity(
        str(fields["ENTITY_TYPE"]).lower(), integer_of(fields["ENTITY_ID"]) or 0
    )
    if not _may_read(call, entity):
        raise _refused("ACCESS_DENIED")
    try:
        return call.portal.comments.add(
            entity_type=entity.type,
            entity_id=entity.id,
            text=str(fields["COMMENT"]),
            author_id=call.caller.user_id,
            files=_file_names(fields) or (),
            actor=call.actor,
        )
    except Refusal as refusal:
        raise _refused(str(refusal)) from None


def _update(call: Call) -> int:
    fields = _fields(call)
    try:
        return call.portal.comments.update(
            _id(call),
            text=str(fields["COMMENT"]) if "COMMENT" in fields else None,
            files=_file_names(fields),
            in_entity=_owner(call),
            actor=call.actor,
        )
    except Refusal as refusal:
        raise _refused(str(refusal)) from None


def _delete(call: Call) -> None:
    try:
        comment = call.portal.comments.find(_id(call))
        if comment.author_id != call.caller.user_id and not call.caller.is_admin:
            raise _refused("ACCESS_DENIED")
        call.portal.comments.delete(comment.id, in_entity=_owner(call), actor=call.actor)
    except Refusal as refusal:
        raise _refused(str(refusal)) from None


def _may_read(call: Call, entity: TimelineEntity) -> bool:
    return call.portal.users.may_read(call.caller.user_id, entity)


def _row(call: Call, comment: TimelineComment, entity: TimelineEntity) -> dict[str, Any]:
    row: dict[str, Any] = {
        "ID": str(comment.id),
        "ENTITY_ID": entity.id,
        "ENTITY_TYPE": entity.type,
        "CREATED": iso(comment.created_at),
        "COMMENT": stored_text(comment.text),
        "AUTHOR_ID": str(comment.author_id),
    }
    if comment.files:
        row["FILES"] = as_php_array(
            {str(file.id): _file(call, comment, file) for file in comment.files}
        )
    return row


def _file(call: Call, comment: TimelineComment, file: File) -> dict[str, Any]:
    is_image = file.name.lower().endswith((".gif", ".jpg", ".jpeg", ".png"))
    root = call.portal.endpoint.removesuffix("rest/")
    return {
        "id": file.id,
        "date": iso(comment.created_at),
        "type": "image" if is_image else "file",
        "name": file.name,
        "size": file.size_bytes,
        "image": {"width": 1, "height": 1} if is_image else False,
        "authorId": comment.author_id,
        "authorName": call.portal.users.name_of(comment.author_id),
        "urlPreview": f"{root}disk/showFile/{file.id}/?preview=Y",
        "urlShow": f"{root}disk/showFile/{file.id}/",
        "urlDownload": f"{root}disk/downloadFile/{file.id}/",
    }


def _fields(call: Call) -> dict[str, Any]:
    # In small letters only: so it is documented for these methods, unlike any others.
    fields = call.raw.get("fields")
    if not isinstance(fields, Mapping):
        raise _missing("fields")
    return folded(fields)


def _file_names(fields: Mapping[str, Any]) -> list[str] | None:
    """The names of the files that come as pairs of name and base64; None if none are told of."""
    if "FILES" not in fields:
        return None
    names = []
    for pair in listed(fields["FILES"]):
        name, content = (*listed(pair), "", "")[:2]
        try:
            base64.b64decode(str(content), validate=True)
        except binascii.Error:
            continue  # a file that cannot be read is left out, without a word
        names.append(str(name))
    return names


def _owner(call: Call) -> tuple[str, int] | None:
    type_id, owner_id = call.number("ownerTypeId"), call.number("ownerId")
    if not type_id or not owner_id:
        return None
    name = _OWNER_TYPES.get(type_id)
    return (name or f"dynamic_{max(type_id, _FIRST_DYNAMIC_TYPE)}", owner_id)


def _id(call: Call) -> int:
    if call.get("id") is None:
        raise _missing("id")
    return call.number("id")


def _missing(name: str) -> RestError:
    return RestError(400, "100", f"Could not find value for parameter {{{name}}}")


def _refused(code: str) -> RestError:
    return RestError(400, code, _REFUSALS[code])


COMMENT_METHODS: Final[dict[str, Method]] = {
    "crm.timeline.comment.get": _get,
    "crm.timeline.comment.list": _list,
    "crm.timeline.comment.add": _add,
    "crm.timeline.comment.update": _update,
    "crm.timeline.comment.delete": _delete,
}
