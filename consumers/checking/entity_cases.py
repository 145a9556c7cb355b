"""Makes the cases about entities of a portal: deals, tasks, users, calls, items.

What a consumer handles decides which types it is tried with: the first of the table that each of
its patterns takes is shown with all that can be odd about an event, every other one as it usually
is, and where a pattern has a wildcard, a type that nobody has heard of.
"""

import re
from collections.abc import Collection, Iterable
from typing import Any, Final

from consumers.checking.case import Case, changed
from consumers.checking.repeated_cases import repeated_cases
from consumers.checking.tried_type import TriedType
from consumers.runtime.consumer import Consumer
from consumers.runtime.handler_table import matches
from gateway.contract import APP_SUBJECT, COMMENT_SUBJECT, EVENT_TYPES, KNOWN_TYPES

__all__ = ["entity_cases"]

_LONGEST_FIELD: Final = 10_000
# Of letters that a form needs six bytes for; a body has 64 KiB.
_SMART_PROCESS: Final = re.compile(r"\.item\.(\d+)")
_WILDCARD: Final = re.compile(r"[*?]|\[[^\]]*\]")
_HELD: Final[dict[str, Any]] = {
    "state": "present",
    "fields": {"ID": "77", "TITLE": "An offer", "OPPORTUNITY": "1000.00", "CLOSED": "N"},
    "fetched_at": "2026-01-31T10:00:01Z",
    "content_hash": "5a1e0f3c5a1e0f3c5a1e0f3c5a1e0f3c",
    "reason": None,
    "cut": [],
}
_NOTHING: Final[dict[str, Any]] = {"fields": {}, "fetched_at": None, "content_hash": None}
_DEAL: Final = TriedType("bitrix24.crm.deal.updated", "deal")
"""What a consumer that takes no entities is shown, too: it has to pass over it."""
_ODD_FIELDS: Final[dict[str, Any]] = {
    "a.b c": "\0\u202e'\"",
    "0": ["1", {"A": []}],
    "DEEP": {"1": {"2": [{"4": ""}]}},
    "ID": "077",
    "TITLE": "",
}


def entity_cases(consumer: Consumer) -> list[Case]:
    """The cases of the types that the consumer takes."""
    by_pattern: dict[str, list[tuple[TriedType, ...]]] = {}
    for row in EVENT_TYPES:
        if row.subject_kind in {COMMENT_SUBJECT, APP_SUBJECT}:
            continue
        for pattern in consumer.patterns:
            ways = TriedType.of_row(row, _number_in(pattern))
            if matches(pattern, (ways[0].type,)):
                by_pattern.setdefault(pattern, []).append(ways)
                break
    is_enriched = consumer.stream != "events"
    cases = []
    for rows in by_pattern.values() or ([(_DEAL,)],):
        first = rows[0][0]
        cases += [_usual(rows[0]), *_odd(first), *repeated_cases(first.short_name, first.event)]
        cases += _fetched(first) if is_enriched else []
        cases += map(_usual, rows[1:])
    return [*cases, *_unheard_of(consumer, by_pattern)]


def _number_in(pattern: str) -> str:
    """That of the type of smart process that a pattern names, or one that a portal may have."""
    named = _SMART_PROCESS.search(pattern)
    return named[1] if named else "1058"


def _usual(ways: Collection[TriedType]) -> Case:
    about = "as it usually is" if len(ways) == 1 else "in each of the ways in which it comes"
    name = next(iter(ways)).short_name
    return Case(name=name, about=about, events=tuple(one.event() for one in ways))


def _odd(tried: TriedType) -> Iterable[Case]:
    usual = tried.event()
    odd = {
        ("no-user", "user_id and event_handler_id are null"): changed(
            usual, user_id=None, event_handler_id=None
        ),
        ("bare", "all that is optional is absent"): changed(
            usual, without=("user_id", "event_handler_id"), fields={}
        ),
        ("odd-fields", "its fields are empty, nested and oddly named"): tried.event(
            fields=_ODD_FIELDS
        ),
        ("long-field", "a field is as long as a body can be"): tried.event(
            fields={"DESCRIPTION": "\u0436" * _LONGEST_FIELD}
        ),
        ("future", "a later version has more fields"): changed(usual, application={"id": 5}),
    }
    if tried.place:
        odd |= {
            ("no-id", "nobody knows which one: its subject has no id"): tried.event(
                None, fields={}
            ),
            ("text-id", "its subject's id is a text"): tried.event("chat17"),
            ("largest-id", "its subject's id has 64 bits"): tried.event(str(2**63 - 1)),
        }
    return [_case(tried, name, about, event) for (name, about), event in odd.items()]


def _fetched(tried: TriedType) -> Iterable[Case]:
    def holding(**fetched: Any) -> bytes:
        return tried.event(object=_HELD | fetched)

    mixed = {"ID": 77, "TITLE": None, "UF_CRM": [1, None, {"a": 0.5}], "IS_MANUAL": False}
    fetched = {
        ("present", "the object was fetched"): holding(),
        ("deleted", "the object is deleted, and nothing is known of it"): holding(
            state="deleted", **_NOTHING
        ),
        ("unavailable", "the object could not be fetched"): holding(
            state="unavailable", reason="no_credentials", **_NOTHING
        ),
        ("mixed-fields", "what was fetched has nulls, lists and numbers"): holding(
            fields=mixed, cut=["TITLE"]
        ),
        ("bare-object", "of the object there is the state alone"): tried.event(
            object={"state": "present"}
        ),
    }
    return [_case(tried, name, about, event) for (name, about), event in fetched.items()]


def _case(tried: TriedType, name: str, about: str, event: bytes) -> Case:
    return Case(name=f"{tried.short_name}-{name}", about=about, events=(event,))


def _unheard_of(consumer: Consumer, known: Collection[str]) -> Iterable[Case]:
    """For each pattern, a type that it takes and that this version does not know."""
    for pattern in consumer.patterns:
        name = _WILDCARD.sub("unheard_of", pattern)
        if name == pattern and (pattern in known or name in KNOWN_TYPES):
            continue
        if name.startswith("bitrix24.") and matches(pattern, (name,)):
            about = "as it usually is"  # of a type that is declared in the settings
            if name != pattern:
                about = f"a later version has another type that {pattern} takes"
            event = TriedType(name, "unheard_of").event()
            yield Case(name=name.removeprefix("bitrix24."), about=about, events=(event,))
