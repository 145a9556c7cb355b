"""Says what stands under `data` in the body of each event that is about something in a portal.

Most say an id and nothing else, in the first place where the table of event types looks for it.
Those that say more are here, with the values that a portal puts there when nobody knows better.
Pure.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from gateway.contract import EventType
from gateway.sandbox.php_form import Value

__all__ = ["Fields", "SubjectId", "data_of"]

Fields: TypeAlias = dict[str, Value]
SubjectId: TypeAlias = int | str

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


def data_of(event: EventType, subject_id: SubjectId, changes: Fields | None = None) -> Value:
    """What the event says of a subject, in the order of the portal's keys, and `changes` of that.

    Of one whose id stands at `data` itself it is the id alone.
    """
    shape = _SHAPES.get(event.short_name)
    said: Value = {}
    if shape is not None:
        said = shape(subject_id)
    elif event.id_places:
        said = _at(event.id_places[0], subject_id)
    return {**said, **(changes or {})} if isinstance(said, dict) else said


def _at(place: str, value: Value) -> Value:
    """A tree in which nothing but the value stands, at a place as `data[FIELDS][ID]`; the value
    itself for `data`.
    """
    _, *names = place.replace("]", "").split("[")
    for name in reversed(names):
        value = {name: value}
    return value


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
