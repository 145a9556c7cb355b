"""Counts events that do not say what they are about, and tells once of each kind of them."""

from typing import Any

import structlog

from gateway.entity_metrics import EVENTS_WITHOUT_ID
from gateway.inbound.admission import Admitted

__all__ = ["MissingIds"]

log: Any = structlog.get_logger(__name__)


class MissingIds:
    """Counts them for one process. There are no more kinds than events that are subscribed to."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def note(self, admitted: Admitted) -> None:
        """Count an event whose subject is of its kind alone."""
        EVENTS_WITHOUT_ID.labels(admitted.name).inc()
        if admitted.name not in self._told:
            self._told.add(admitted.name)
            log.warning(
                "an event does not say what it is about; it is stored, in order with all such",
                event_name=admitted.name,
                type=admitted.event.type,
                event_id=admitted.event.id,
                member_id=admitted.member_id,
                what_it_means="docs/events.md says where the id is looked for; told once",
            )
