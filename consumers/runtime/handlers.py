"""Refuses functions that can be no handlers when they are registered, in one line.

The types of the decorators say the same to type checkers; this is for whoever runs none. A mistake
that is found here would otherwise acknowledge events that nobody has handled, or handle each
several times and bury it.
"""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Any, Final, get_args, get_origin, get_type_hints

from consumers.runtime.entry import Entry
from gateway.contract import AppEvent, CommentEvent, EntityEvent, OtherEvent, PortalEvent

__all__ = [
    "BatchFunction",
    "EventFunction",
    "InvalidHandler",
    "name_of",
    "of_entry",
    "refuse_unfit",
]

EventFunction = (
    Callable[[CommentEvent], Awaitable[None]]
    | Callable[[CommentEvent, Entry], Awaitable[None]]
    | Callable[[AppEvent], Awaitable[None]]
    | Callable[[AppEvent, Entry], Awaitable[None]]
    | Callable[[PortalEvent], Awaitable[None]]
    | Callable[[PortalEvent, Entry], Awaitable[None]]
    | Callable[[EntityEvent], Awaitable[None]]
    | Callable[[EntityEvent, Entry], Awaitable[None]]
    | Callable[[OtherEvent], Awaitable[None]]
    | Callable[[OtherEvent, Entry], Awaitable[None]]
)
"""A handler takes the event, of whichever kind, or the event and its entry."""

BatchFunction = Callable[[Sequence[Entry]], Awaitable[None]]

_EVENTS: Final = (CommentEvent, AppEvent, PortalEvent, EntityEvent, OtherEvent)


class InvalidHandler(TypeError):
    """A function cannot be the handler that it is declared to be; the message says why."""


def refuse_unfit(function: object, *, decorator: str, takes_entries: bool) -> None:
    """Raise InvalidHandler unless a function can be the handler that a decorator makes of it.

    `takes_entries` is true for handlers of a sequence of entries. Annotations count as far as they
    can be read; a parameter without one is taken for right.
    """
    if not callable(function):
        raise InvalidHandler(f"{decorator} stands above a function")
    name = getattr(function, "__name__", type(function).__name__)
    if not _is_async(function):
        raise InvalidHandler(
            f"{name}: write `async def`; what blocks belongs in asyncio.to_thread within it"
        )
    kinds = _kinds(function)
    if takes_entries:
        if len(kinds) != 1 or kinds[0] in {"event", "entry", "events"}:
            raise InvalidHandler(f"{name}: {decorator} gives one argument, a Sequence[Entry]")
    elif len(kinds) not in {1, 2} or kinds[0] not in {"event", None} or kinds[1:] == ["event"]:
        raise InvalidHandler(f"{name}: {decorator} gives the event, or the event and its Entry")


def of_entry(function: Callable[..., Awaitable[None]]) -> Callable[[Entry], Awaitable[None]]:
    """A fit function as one of the entry alone, whether it takes the event or the entry as well."""
    if len(_parameters(function)) == 1:
        return wraps(function)(lambda entry: function(entry.event))
    return wraps(function)(lambda entry: function(entry.event, entry))


def name_of(function: Callable[..., object]) -> str:
    """What a handler is called in its module, for people."""
    own = inspect.unwrap(function)
    return str(getattr(own, "__qualname__", type(own).__qualname__))


def _is_async(function: object) -> bool:
    """Whether it is a coroutine function, a partial of one, or an object that is called as one."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - the method itself is looked at
    )


def _parameters(function: Callable[..., object]) -> list[inspect.Parameter]:
    """Those that may be given by position, and have to be."""
    return [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        and (parameter.default is parameter.empty)
    ]


def _kinds(function: Callable[..., object]) -> list[str | None]:
    """What the parameters are said to be: event, entry, events, entries; None if it is not said."""
    try:
        hints = get_type_hints(function)
    except (NameError, TypeError, AttributeError):  # names that only type checkers see
        hints = {}
    return [_kind(hints.get(parameter.name)) for parameter in _parameters(function)]


def _kind(hint: Any) -> str | None:
    if hint is Entry:
        return "entry"
    options = get_args(hint) if get_origin(hint) is not None else ()
    if hint in _EVENTS or (options and all(option in _EVENTS for option in options)):
        is_sequence = isinstance(get_origin(hint), type)
        return "events" if is_sequence and issubclass(get_origin(hint), Sequence) else "event"
    if options and options[0] is Entry:
        return "entries"
    return None
