"""Says what stands under `data` in the body of each event that is about something in a portal.

Most say an id and nothing else, in the first place where the table of event types looks for it.
Those that say more are here, with the values that a portal puts there when nobody knows better.
Pure.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from gateway.contract import EventType
from gateway.sandbox.php_form import Value

__all__ = ["SMART_PROCESS", "Fields", "SubjectId", "data_of"]

Fields: TypeAlias = dict[str, Value]
SubjectId: TypeAlias = int | str

SMART_PROCESS: Final = 1220
"""The type of a smart process of which nothing else is known."""

_UNKNOWN: Final = "undefined"
"""The text, where a portal has nothing to say."""

_SHAPES: Final[dict[str, Callable[[SubjectId], Fields]]] = {
    # https://apidocs.bitrix24.com/api-reference/crm/deals/events/on-crm-deal-move-to-category.html
    "deal.moved": lambda deal_id: {
        "FIELDS": {"ID": deal_id, "CATEGORY_ID": 1, "STAGE_ID": "C1:NEW"}
    },
    # https://apidocs.bitrix24.com/api-reference/tasks/events-tasks/index.html
    "task.added": lambda task_id: _task_data(after={"ID": task_id}, was_accessible="N"),
    "task.updated": lambda task_id: _task_data(before={"ID": task_id}, after={"ID": task_id}),
    "task.deleted": lambda task_id: _task_data(before={"ID": task_id}, is_accessible="N"),
}


def data_of(
    event: EventType, subject_id: SubjectId, *, entity_type_id: int = SMART_PROCESS
) -> Value:
    """What the event says of a subject, in the order of the portal's keys.

    Of one whose id stands at `data` itself it is the id alone. `entity_type_id` is the type of a
    smart process, for the events of its items.
    """
    shape = _SHAPES.get(event.short_name)
    if shape is not None:
        return shape(subject_id)
    said: Value = {}
    if event.id_places:
        said = _put(said, event.id_places[0], subject_id)
    if event.entity_type_places:
        said = _put(said, event.entity_type_places[0], entity_type_id)
    return said


def _put(data: Value, place: str, value: Value) -> Value:
    """The tree with a value at a place as `data[FIELDS][ID]`; for `data`, the value itself."""
    _, *names = place.replace("]", "").split("[")
    if not names:
        return value
    root: Any = data
    for name in names[:-1]:
        root = root.setdefault(name, {})
    root[names[-1]] = value
    return data


def _task_data(
    *,
    before: Fields | None = None,
    after: Fields | None = None,
    was_accessible: str = _UNKNOWN,
    is_accessible: str = _UNKNOWN,
) -> Fields:
    return {
        "FIELDS_BEFORE": before or _UNKNOWN,
        "FIELDS_AFTER": after or _UNKNOWN,
        "IS_ACCESSIBLE_BEFORE": was_accessible,
        "IS_ACCESSIBLE_AFTER": is_accessible,
    }
