"""Defines the section `[[events]]`."""

from typing import Annotated

from msgspec import Meta

from gateway.settings.sections.kinds import Section

__all__ = ["EventSettings"]


class EventSettings(Section, frozen=True, kw_only=True):
    """[[events]]: events that are taken and published; without any, the three of timeline comments.

    Those of the application itself (its installation, its end, tests) are taken in any case.
    """

    name: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_.*]{1,128}\Z",
            description="of letters, digits, `_`, `.`, and `*` for any of them",
        ),
    ]
    """A name of docs/events.md as `onCrmDealUpdate`, or a pattern as `onCrmDeal*`; capitals do not
    matter. Of several tables that name an event the last one counts."""
    fetch: Annotated[
        str,
        Meta(pattern=r"^([a-z][a-z0-9_.]{0,127})?\Z", description="a REST method, as crm.item.get"),
    ] = ""
    """The REST method by which the enricher asks for the object, as `crm.item.get`; empty for
    events that are passed on as they are."""
    fetch_id: Annotated[
        str,
        Meta(
            pattern=r"^([A-Za-z][A-Za-z0-9_]{0,63}(\.[A-Za-z][A-Za-z0-9_]{0,63})?)?\Z",
            description="a name, or FILTER.ID for one within a map",
        ),
    ] = ""
    """Only of a method that docs/enricher.md does not have: its parameter that takes the id."""
    type: Annotated[
        str,
        Meta(
            pattern=r"^(bitrix24(\.[a-z0-9_]{1,64}){2,6})?\Z",
            description="as bitrix24.crm.deal.updated: words of small letters, digits and `_`",
        ),
    ] = ""
    """Only of an event that docs/events.md does not have: the type that it is published as."""
    subject: Annotated[
        str,
        Meta(
            pattern=r"^([a-z][a-z0-9_]{0,63})?\Z",
            description="a word of small letters, digits and `_`",
        ),
    ] = ""
    """Only of such an event: what it is about, as `deal`; else the last word but one of its type.
    Events are kept in the order of their subject."""
    id: Annotated[
        str,
        Meta(
            pattern=r"^(data(\[[A-Za-z0-9_]{1,64}\]){1,4})?\Z",
            description="as PHP writes it: data[FIELDS][ID]",
        ),
    ] = ""
    """Only of such an event: where the subject's id stands in the body; else the usual places,
    `data[FIELDS][ID]`, `data[ID]` and `data[id]`."""
