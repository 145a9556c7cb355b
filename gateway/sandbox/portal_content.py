"""Holds what people keep in a portal: comments, deals, smart processes and tasks.

Whatever is changed is told by `announce`, as the event of its kind.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from gateway.sandbox.announcing import Actor, Announce
from gateway.sandbox.comments import Comments
from gateway.sandbox.crm_fields import DEAL_FIELDS, ITEM_FIELDS
from gateway.sandbox.entities import Entities, Tell
from gateway.sandbox.task_fields import TASK_FIELDS

__all__ = ["DEAL_TYPE_ID", "PortalContent"]

DEAL_TYPE_ID: Final = 2
_FIRST_SMART_PROCESS: Final = 128
# https://apidocs.bitrix24.com/api-reference/crm/data-types.html#object_type


class PortalContent:
    """Holds the data of one portal; what stands in the timeline of what is deleted goes with it."""

    def __init__(
        self, announce: Announce, clock: Callable[[], float], *, first_comment_id: int
    ) -> None:
        self._announce = announce
        self._clock = clock
        self._smart_processes: dict[int, Entities] = {}
        self.comments = Comments(announce, clock, first_id=first_comment_id)
        self.deals = Entities(
            "deal",
            self._telling("deal"),
            clock,
            defaults=DEAL_FIELDS.defaults,
            on_deleted=partial(self.comments.delete_entity, "deal"),
        )
        self.tasks = Entities("task", self._telling("task"), clock, defaults=TASK_FIELDS)

    def smart_process(self, entity_type_id: int) -> Entities:
        """The items of a smart process, which is made if there is none."""
        if entity_type_id < _FIRST_SMART_PROCESS:
            raise ValueError(f"{entity_type_id}: smart processes begin at {_FIRST_SMART_PROCESS}")
        kind = f"dynamic_{entity_type_id}"
        return self._smart_processes.setdefault(
            entity_type_id,
            Entities(
                kind,
                self._telling("item", entity_type_id=entity_type_id),
                self._clock,
                defaults=ITEM_FIELDS.defaults,
                on_deleted=partial(self.comments.delete_entity, kind),
            ),
        )

    def of_type(self, entity_type_id: int) -> Entities | None:
        """What the universal methods call by this number; None if there is nothing."""
        if entity_type_id == DEAL_TYPE_ID:
            return self.deals
        return self._smart_processes.get(entity_type_id)

    def _telling(self, kind: str, *, entity_type_id: int | None = None) -> Tell:
        def tell(what: str, subject_id: int, actor: Actor) -> None:
            self._announce(f"{kind}.{what}", subject_id, actor, entity_type_id=entity_type_id)

        return tell
