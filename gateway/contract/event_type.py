"""Defines a row of the table of event types: an event of Bitrix24, and as what it is published."""

from typing import Final

from msgspec import Struct

__all__ = ["ENTITY_TYPE_ID", "EventType"]

ENTITY_TYPE_ID: Final = "{entity_type_id}"
"""What stands in a type and a kind of subject for the number of a type of smart process."""

_ID_PLACES: Final = ("data[FIELDS][ID]", "data[ID]", "data[id]")
# The first is what is sent of most. The reference shows the second for comments.


class EventType(Struct, frozen=True, kw_only=True, gc=False):
    """An event of Bitrix24, and as what it is published.

    `documented_name` is spelt as in the documentation, `type` is the CloudEvents one. Its last word
    is what happened to a subject of the kind `subject_kind`. `id_places` is where the subject's id
    stands in the form, as PHP writes it; the first that has one counts. `other_subjects` are kinds
    and places: an id at such a place, where there is none at `id_places`, is that of a subject of
    another kind. Events are kept in the order of their subject; without an id, in that of their
    portal.

    Of what has a type of its own in each portal (smart processes, and the invoices made of them),
    `type` and `subject_kind` hold ENTITY_TYPE_ID, and `entity_type_places` is where its number
    stands. Bitrix24 sends such events by a second name, too: with `_` and the number behind it.

    `scope` is the right that an application needs to bind it; none for those that all may. `page`
    is where the public reference describes it, below https://apidocs.bitrix24.com/; empty if it
    does not. `is_queued_offline` says whether the portal can keep it for us. `is_confirmed` says
    that where the id stands was read out of what a portal runs or sends; where it is false, the
    reference alone says it, which has been wrong.
    """

    documented_name: str
    type: str
    subject_kind: str
    id_places: tuple[str, ...] = _ID_PLACES
    other_subjects: tuple[tuple[str, str], ...] = ()
    entity_type_places: tuple[str, ...] = ()
    scope: str = "crm"
    page: str = ""
    is_queued_offline: bool = False
    is_confirmed: bool = True

    @property
    def wire_name(self) -> str:
        """As the name is sent, bound and queued."""
        return self.documented_name.upper()

    @property
    def short_name(self) -> str:
        """What a person types: `comment.updated`."""
        kind = self.subject_kind.removesuffix(f".{ENTITY_TYPE_ID}")
        return f"{kind}.{self.type.rpartition('.')[2]}"
