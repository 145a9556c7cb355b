"""Finds portals that deliver each change more than once, as by an application and an outbound
webhook that name the same address. Pure.

Nothing is left out because of it: that two events look alike says nothing of one of them. But
consumers get both, so whoever set that up should know.
"""

from collections import defaultdict
from collections.abc import Iterable

from gateway.contract import CommentEvent, EntityEvent

__all__ = ["handlers_of_doubles"]


def handlers_of_doubles(events: Iterable[CommentEvent | EntityEvent]) -> dict[str, tuple[int, ...]]:
    """By portal (member id), the ids of the handlers through which the same changes came.

    It is the same change if subject, kind and time are equal; the handler is what Bitrix24 calls
    `event_handler_id`.
    """
    handlers: defaultdict[tuple[str, str, str, str], set[int]] = defaultdict(set)
    for event in events:
        data = event.data
        if data.event_handler_id is not None:
            change = (data.member_id, event.subject, event.type, event.time)
            handlers[change].add(data.event_handler_id)
    found: defaultdict[str, set[int]] = defaultdict(set)
    for (member_id, *_), ids in handlers.items():
        if len(ids) > 1:
            found[member_id] |= ids
    return {member_id: tuple(sorted(ids)) for member_id, ids in found.items()}
