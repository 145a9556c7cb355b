"""Says what stands under `data` in the body of each event, by the trees of `event_trees`.

A tree is what a portal has there. Its name is the event's, spelt as in the table of event types;
what follows an `@` tells several trees of one event apart. `"@tokens"` stands for the tokens of a
bot, by its user's id. The bodies in tests/wire/catalogue are made by PHP of the same trees.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from gateway.contract import EventType
from gateway.sandbox.php_form import Value

__all__ = ["EVENT_TREES", "Fields", "SubjectId", "data_of", "with_tokens"]

Fields: TypeAlias = dict[str, Value]
SubjectId: TypeAlias = int | str

EVENT_TREES: Final = Path(__file__).with_name("event_trees")
_TOKENS: Final = "@tokens"
_NAME: Final = re.compile(r"\[(\w+)\]")


def data_of(
    event: EventType, subject_id: SubjectId | None = None, *, entity_type_id: int | None = None
) -> Value:
    """What the event says of a subject, in the order of the portal's keys; None for nothing.

    `entity_type_id` is the type of a smart process, for the events of its items. Without either,
    it is what stands in the tree; an event that has no tree yet says an id alone.
    """
    tree = _trees().get(event.documented_name)
    data = _id_alone(event) if tree is None else msgspec.json.decode(tree)
    if subject_id is not None:
        for place in event.id_places:
            data = _put(data, _NAME.findall(place), subject_id)
    if entity_type_id is not None:
        for place in event.entity_type_places:
            data = _put(data, _NAME.findall(place), entity_type_id)
    said: Value = data
    return said


def with_tokens(data: Value, tokens_of: Callable[[Value], Fields]) -> Value:
    """The same with tokens where they stand; `tokens_of` gives those of a bot by its user's id."""
    if isinstance(data, Mapping):
        whole: Fields = {}
        for key, value in data.items():
            whole |= tokens_of(value) if key == _TOKENS else {key: with_tokens(value, tokens_of)}
        return whole
    if isinstance(data, list):
        return [with_tokens(one, tokens_of) for one in data]
    return data


@cache
def _trees() -> dict[str, msgspec.Raw]:
    trees: dict[str, msgspec.Raw] = {}
    for path in sorted(EVENT_TREES.glob("*.json")):
        trees |= msgspec.json.decode(path.read_bytes(), type=dict[str, msgspec.Raw])
    return trees


def _id_alone(event: EventType) -> Any:
    data: Any = None
    for number, place in enumerate(event.id_places[:1], start=999):
        data = number
        for name in reversed(_NAME.findall(place)):
            data = {name: data}
    return data


def _put(data: Any, names: list[str], value: SubjectId) -> Any:
    """The same with a value at a place, if something stands there."""
    if not names:
        return value
    name, *inner = names
    if isinstance(data, dict):
        return {key: _put(one, inner, value) if key == name else one for key, one in data.items()}
    if isinstance(data, list):
        return [_put(one, inner, value) if str(at) == name else one for at, one in enumerate(data)]
    return data
