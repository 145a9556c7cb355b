"""Defines the events about whatever a portal has beside comments: deals, tasks, users, calls."""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from gateway.contract.events import CloudEvent, Id, Timestamp

__all__ = ["EntityData", "EntityEvent", "FetchedObject"]


class FetchedObject(Struct, frozen=True, kw_only=True, gc=False):
    """What the subject of an event looked like when the enricher fetched it.

    `state` is `present`, `deleted` or `unavailable`; `reason` says why it is unavailable. `fields`
    is what the portal's method answered, by its names; of a deleted object, what was last known of
    it, if anything was. `content_hash` is equal for equal contents. `cut` names the fields that
    have only the beginning of what the portal has.
    """

    state: Literal["present", "deleted", "unavailable"]
    fields: dict[str, Any] = {}
    fetched_at: Timestamp | None = None
    content_hash: str | None = None
    reason: str | None = None
    cut: tuple[str, ...] = ()


class EntityData(Struct, frozen=True, kw_only=True, gc=False):
    """Which portal said what, and through which binding we were told.

    `member_id`, `domain`, `user_id` and `event_handler_id` are as in an event of a comment.
    `fields` is what the form said under `data`, as PHP reads it: values are text, as PHP sent
    them, and a list of PHP's is a list here. What can hold a token, or is too much, is left out;
    within a text, `***` stands for it.
    `object` is there on `comments` only, for types that are fetched.
    """

    member_id: str
    domain: str
    fields: dict[str, Any]
    user_id: Id | None = None
    event_handler_id: Id | None = None
    object: FetchedObject | UnsetType = UNSET


class EntityEvent(CloudEvent, frozen=True, kw_only=True, gc=False):
    """Something happened to an entity of a portal: a deal, a task, a user, a call.

    `type` is one of the table of event types, or was declared in the settings.
    """

    data: EntityData
