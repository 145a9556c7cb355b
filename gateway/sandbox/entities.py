"""Keeps what a portal has of one kind: its deals, its tasks, the items of a smart process; no I/O.

Every change is told, also an update that changes nothing, as the portal's code does.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from gateway.sandbox.announcing import Actor
from gateway.sandbox.refusal import Refusal
from gateway.sandbox.users import ADMINISTRATOR

__all__ = ["Entities", "PortalEntity", "Tell"]

Tell = Callable[[str, int, Actor], None]
"""Tells what happened (`added`, `updated`, `deleted`) to the entity of this id, and who did it."""


class PortalEntity(Struct, kw_only=True):
    """One of them; `fields` by the names of the portal's database, in capitals.

    Times are in Unix seconds; `moved_at` is when its stage changed last.
    """

    id: int
    fields: dict[str, Any]
    created_by: int
    created_at: float
    changed_by: int
    changed_at: float
    moved_by: int
    moved_at: float


class Entities:
    """Keeps the entities of one kind. Without an `actor`, the administrator acts, in the portal.

    `kind` is that of rights and timelines (`deal`); `defaults` are fields that each has from the
    beginning; `on_deleted` is called with the id of one that is deleted, before it is told.
    """

    def __init__(
        self,
        kind: str,
        tell: Tell,
        clock: Callable[[], float],
        *,
        defaults: Mapping[str, Any],
        on_deleted: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.kind = kind
        self._tell = tell
        self._clock = clock
        self._defaults = defaults
        self._on_deleted = on_deleted
        self._entities: dict[int, PortalEntity] = {}
        self._last_id = 0

    def add(
        self, fields: Mapping[str, Any], *, entity_id: int | None = None, actor: Actor | None = None
    ) -> int:
        """Make one, and give its id: the next, unless one is wished for that was not there yet."""
        who = actor or Actor(user_id=ADMINISTRATOR)
        chosen = entity_id or self._last_id + 1
        if chosen in self._entities:
            raise Refusal("ALREADY_THERE")
        self._last_id = max(self._last_id, chosen)
        now = self._clock()
        self._entities[chosen] = PortalEntity(
            id=chosen,
            fields={**self._defaults, **fields},
            created_by=who.user_id,
            created_at=now,
            changed_by=who.user_id,
            changed_at=now,
            moved_by=who.user_id,
            moved_at=now,
        )
        self._tell("added", chosen, who)
        return chosen

    def update(
        self, entity_id: int, fields: Mapping[str, Any], *, actor: Actor | None = None
    ) -> None:
        """Change fields of one; raises Refusal if there is none."""
        who = actor or Actor(user_id=ADMINISTRATOR)
        entity = self.find(entity_id)
        stage = entity.fields.get("STAGE_ID")
        entity.fields |= fields
        entity.changed_by, entity.changed_at = who.user_id, self._clock()
        if entity.fields.get("STAGE_ID") != stage:
            entity.moved_by, entity.moved_at = entity.changed_by, entity.changed_at
        self._tell("updated", entity_id, who)

    def delete(self, entity_id: int, *, actor: Actor | None = None) -> None:
        """Delete one; raises Refusal if there is none."""
        del self._entities[self.find(entity_id).id]
        self._on_deleted(entity_id)
        self._tell("deleted", entity_id, actor or Actor(user_id=ADMINISTRATOR))

    def find(self, entity_id: int) -> PortalEntity:
        """The entity; raises Refusal if there is none."""
        entity = self._entities.get(entity_id)
        if entity is None:
            raise Refusal("NOT_FOUND")
        return entity

    def all(self) -> list[PortalEntity]:
        """All there are, the one with the lowest id first."""
        return [self._entities[one] for one in sorted(self._entities)]
