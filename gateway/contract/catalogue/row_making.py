"""Makes rows that differ in what happened to subjects of one kind: added, updated, deleted."""

from collections.abc import Mapping
from functools import cache
from typing import Final

from gateway.contract.event_type import EventType

__all__ = ["CHANGES", "FIELDS_ID", "USER_FIELD_CHANGES", "rows"]

CHANGES: Final[Mapping[str, str]] = {"Add": "added", "Update": "updated", "Delete": "deleted"}
"""How the names of most events end, and what happened. The order is that in which it can."""
USER_FIELD_CHANGES: Final[Mapping[str, str]] = {**CHANGES, "SetEnumValues": "values_set"}

FIELDS_ID: Final = ("data[FIELDS][ID]",)


def rows(
    name: str,
    endings: Mapping[str, str],
    *,
    scope: str,
    area: str,
    kind: str,
    page: str,
    id_places: tuple[str, ...] = FIELDS_ID,
    other_subjects: tuple[tuple[str, str], ...] = (),
    entity_type_places: tuple[str, ...] = (),
    is_queued_offline: bool = True,
    is_confirmed: bool = True,
) -> tuple[EventType, ...]:
    """One row for each ending of `name`; its type is `bitrix24.<area>.<what happened>`.

    `page` is below the reference's `api-reference/`: a page, in which `*` stands for the ending, or
    the beginning of a page's name: `…/on-crm-deal` is that of `…/on-crm-deal-add.html`.
    """
    return tuple(
        EventType(
            documented_name=name + ending,
            type=f"bitrix24.{area}.{happened}",
            subject_kind=kind,
            id_places=id_places,
            other_subjects=other_subjects,
            entity_type_places=entity_type_places,
            scope=scope,
            page=_page(page, ending),
            is_queued_offline=is_queued_offline,
            is_confirmed=is_confirmed,
        )
        for ending, happened in endings.items()
    )


def _page(page: str, ending: str) -> str:
    if not page or page.endswith(".html"):
        return page and f"api-reference/{page.replace('*', ending)}"
    return f"api-reference/{page}{_words(ending)}.html"


@cache  # the same few end nearly all names
def _words(ending: str) -> str:
    """`-move-to-category`."""
    if ending.isupper():
        return f"-{ending.lower()}"
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in ending)
