"""Says which events of Bitrix24 are taken: those of the settings, out of the table of event types.

It is made once, by whoever reads the settings, and handed to all who have to know. Does no I/O.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Final, Protocol

from gateway.contract import (
    APP_SUBJECT,
    COMMENT_SUBJECT,
    EVENT_TYPES,
    KNOWN_TYPES,
    OFFLINE_EVENT,
    PORTAL_SUBJECT,
    EventType,
)
from gateway.errors import SettingsError

__all__ = ["EventDeclaration", "EventSubscription", "hint_for"]

_TABLE: Final = {row.wire_name: row for row in EVENT_TYPES}
_RESERVED_SUBJECTS: Final = frozenset({APP_SUBJECT, COMMENT_SUBJECT, PORTAL_SUBJECT})


class EventDeclaration(Protocol):
    """What the settings say of an event, or of all whose names match a pattern; empty for nothing.

    docs/settings.md says what each means.
    """

    @property
    def name(self) -> str:
        """Bitrix24's name, or a pattern."""
        ...

    @property
    def fetch(self) -> str:
        """The REST method that the object is fetched by."""
        ...

    @property
    def fetch_id(self) -> str:
        """The name of its parameter that takes the object's id."""
        ...

    @property
    def type(self) -> str:
        """As what an event is published that the table does not have."""
        ...

    @property
    def subject(self) -> str:
        """What such an event is about."""
        ...

    @property
    def id(self) -> str:
        """Where the id of that stands in the body."""
        ...


class EventSubscription:
    """Knows the events that are taken.

    `rows` are in the table's order, what the settings declare behind it; among them always the
    events of the application. Raises SettingsError with a line for each fault.
    """

    def __init__(
        self,
        declarations: Sequence[EventDeclaration] = (),
        *,
        table: Sequence[EventType] = EVENT_TYPES,
    ) -> None:
        known = {row.wire_name: row for row in table}
        always = COMMENT_SUBJECT if not declarations else APP_SUBJECT
        taken: dict[str, EventDeclaration | None] = {
            row.wire_name: None for row in table if row.subject_kind in {APP_SUBJECT, always}
        }
        faults: list[str] = []
        for declaration in declarations:
            name = declaration.name.upper()
            if "*" not in name and name not in known and declaration.type:
                faults += _faults_of_declared(declaration, known.values())
                known[name] = _declared(declaration)
            elif declaration.type or declaration.subject or declaration.id:
                faults.append(_is_not_declared(declaration, is_known=name in known))
            matching = [one for one in known if fnmatchcase(one, name)]
            if not matching:
                faults.append(f"{declaration.name}: {hint_for(name, known)}")
            taken |= {
                one: declaration for one in matching if known[one].subject_kind != APP_SUBJECT
            }
        if faults:
            raise SettingsError("\n".join(f"[[events]] name {fault}" for fault in faults))
        self.rows: Final = tuple(row for name, row in known.items() if name in taken)
        self.by_wire_name: Final[Mapping[str, EventType]] = {
            row.wire_name: row for row in self.rows
        }
        self.fetches: Final[Mapping[str, EventDeclaration]] = {
            row.type: one
            for row in self.rows
            if (one := taken[row.wire_name]) is not None and one.fetch
        }
        """What was declared, of the types whose objects are fetched."""

    @property
    def types(self) -> tuple[str, ...]:
        """As what they are published, in the order of `rows`."""
        return tuple(row.type for row in self.rows)

    @property
    def delivered(self) -> tuple[str, ...]:
        """What a portal is to deliver, by the names that it binds: with the word that events wait
        in its queue.
        """
        return (*self.by_wire_name, OFFLINE_EVENT.upper())

    @property
    def queued(self) -> tuple[str, ...]:
        """What a portal is to keep in its queue of offline events, too, by these names."""
        return tuple(row.wire_name for row in self.rows if row.is_queued_offline)


def _faults_of_declared(
    declaration: EventDeclaration, others: Iterable[EventType]
) -> Iterator[str]:
    row = _declared(declaration)
    if row.type in KNOWN_TYPES or any(row.type == other.type for other in others):
        yield f"{declaration.name}: type {row.type}: another event is published as this"
    if row.subject_kind in _RESERVED_SUBJECTS:
        yield f"{declaration.name}: subject {row.subject_kind}: events of other kinds are about it"
    if row.wire_name == OFFLINE_EVENT.upper():
        yield f"{declaration.name}: it is no event: it says that some wait in the portal's queue"


def _declared(declaration: EventDeclaration) -> EventType:
    kind = declaration.subject or declaration.type.split(".")[-2]
    if not declaration.id:
        return EventType(
            documented_name=declaration.name, type=declaration.type, subject_kind=kind, scope=""
        )
    return EventType(
        documented_name=declaration.name,
        type=declaration.type,
        subject_kind=kind,
        id_places=(declaration.id,),
        scope="",
    )


def _is_not_declared(declaration: EventDeclaration, *, is_known: bool) -> str:
    if is_known:
        return f"{declaration.name}: docs/events.md has this event: take type, subject and id out"
    if "*" in declaration.name:
        return f"{declaration.name}: a pattern declares no event: take type, subject and id out"
    return f"{declaration.name}: an event that docs/events.md does not have needs a type"


def hint_for(name: str, known: Mapping[str, EventType] = _TABLE) -> str:
    """What to say of a name, or a pattern, that is none of an event."""
    name = name.upper()
    if "*" in name:
        return "no event has a name like this"
    meant = get_close_matches(name, known, 1)
    if not meant:
        return "no such event; docs/events.md has all names, others need a type"
    return f"no such event; did you mean {known[meant[0]].documented_name}?"
