"""Says by which method each type of event is fetched, as the settings declare it; no I/O."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from gateway.bitrix24.fetch_methods import FETCH_METHODS, FetchMethod, fetch_method
from gateway.contract import ENTITY_TYPE_ID, EventType
from gateway.errors import SettingsError
from gateway.event_subscription import EventDeclaration, EventSubscription

__all__ = ["declared_fetches"]


def declared_fetches(declarations: Iterable[EventDeclaration]) -> Mapping[str, FetchMethod]:
    """The methods of `[[events]]`, by type, or by its pattern where a number stands in it.

    Of the events that a pattern of names matches, those are left out whose objects its method does
    not give. Raises SettingsError with a line for each declaration by which nothing is fetched.
    """
    declared = tuple(declarations)
    subscription = EventSubscription(declared)
    found: dict[str, FetchMethod] = {}
    faults: list[str] = []
    for one in declared:
        if not one.fetch:
            if one.fetch_id:
                faults.append(f"{one.name}: fetch_id says how a method takes the id: give fetch")
            continue
        try:
            method = _method_of(one)
        except ValueError as error:
            faults.append(f"{one.name}: fetch: {error}")
            continue
        concerned = [row for row in subscription.rows if subscription.fetches.get(row.type) is one]
        fitting = [row for row in concerned if method.why_not(row.subject_kind) is None]
        if concerned and not fitting:
            faults.append(f"{one.name}: fetch: {_why_not(method, concerned)}")
        found |= {row.type.replace(ENTITY_TYPE_ID, "*"): method for row in fitting}
    if faults:
        raise SettingsError("\n".join(f"[[events]] name {fault}" for fault in faults))
    return found


def _method_of(declaration: EventDeclaration) -> FetchMethod:
    """The method; raises ValueError for one whose parameters nobody has told."""
    known = FETCH_METHODS.get(declaration.fetch.lower())
    if known is not None or declaration.fetch_id:
        return fetch_method(declaration.fetch, id_parameter=declaration.fetch_id or None)
    meant = get_close_matches(declaration.fetch.lower(), FETCH_METHODS, 1)
    hint = (
        f"did you mean {FETCH_METHODS[meant[0]].name}?"
        if meant
        else "docs/enricher.md has those that are known."
    )
    raise ValueError(
        f"{declaration.fetch} is not known; {hint} Of others, fetch_id has to name the parameter "
        "that takes the id"
    )


def _why_not(method: FetchMethod, rows: Iterable[EventType]) -> str:
    """Why the method does not give what one of these events is about."""
    reasons = (method.why_not(row.subject_kind) for row in rows)
    return next(why for why in reasons if why is not None)
