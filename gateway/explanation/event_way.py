"""Says what became of an event, a part for each place that it can be in. Does no I/O."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from gateway.ops.entries_in_hand import LastFailure

__all__ = [
    "Candidate",
    "EventPlace",
    "EventWay",
    "FetchOutcome",
    "FoundLetter",
    "GivenAgain",
    "GroupOutcome",
    "KeptOutcome",
    "LookedThrough",
    "NotificationOutcome",
    "ReceivedEvent",
    "SpoolOutcome",
]


_Replaced = Literal["joined", "withdrawn", "taken"]


class ReceivedEvent(Struct, frozen=True, kw_only=True):
    """What an event says of itself; `happened_at` is by Bitrix24's clock.

    `is_recovered`: it was missed when it happened, and found afterwards.
    """

    type: str
    subject: str
    portal: str
    domain: str | None
    received_at: str
    happened_at: str
    is_recovered: bool


class EventPlace(Struct, frozen=True, kw_only=True):
    """An entry that holds it. `is_replay`: an old one of which nobody is told."""

    stream: str
    partition: int
    entry_id: str
    stored_at: str
    is_replay: bool


class FoundLetter(Struct, frozen=True, kw_only=True):
    """A dead letter of it; `address` is what `gateway dead show` takes."""

    address: str
    reason: str
    error: str
    attempts: int
    failed_at: str


class GivenAgain(Struct, frozen=True, kw_only=True):
    """It is one group's alone, waiting or in hand: a `retry` of a dead letter, or a `replay`."""

    kind: Literal["retry", "replay"]
    entry_id: str
    is_in_hand: bool
    failure: LastFailure | None


class GroupOutcome(Struct, frozen=True, kw_only=True):
    """What one group made of an entry.

    `waiting`: not delivered to it yet. `in hand`: delivered and not settled. `handled`: delivered
    before the group's position, and neither pending nor a dead letter; also of a group that began
    behind it. `position` is the last entry that was delivered to the group. `paused` says what of
    it an operator lets wait, and `resume` is the command that ends that. `is_unsure`: there was no
    time to look through all of its dead letters and redeliveries.
    """

    group: str
    stream: str
    entry_id: str
    state: Literal["waiting", "in hand", "dead letter", "given again", "handled"]
    position: str
    owner: str | None
    in_hand_s: float | None = None
    deliveries: int | None = None
    failure: LastFailure | None = None
    paused: str | None = None
    resume: str | None = None
    letters: Sequence[FoundLetter] = ()
    again: Sequence[GivenAgain] = ()
    is_unsure: bool = False


class FetchOutcome(Struct, frozen=True, kw_only=True):
    """What the enricher found out: `present`, `deleted`, or `unavailable` for a reason.

    `asked_again_at` is when the portal is asked once more for what could not be had.
    """

    entry_id: str
    state: str
    reason: str | None
    fetched_at: str | None
    asked_again_at: str | None


class NotificationOutcome(Struct, frozen=True, kw_only=True):
    """What became of it at one target of the notifier.

    `not taken`: no route wanted it, it was a replay, or that is longer ago than three days. `waits`
    until `at`, `held` until then by quiet hours or a cap; `joined` a message about a later change
    of its comment, `by_event`; `withdrawn`, since that one deleted the comment; `taken` and no
    longer there, as an older version of the notifier leaves it. `given up` for a `reason`.
    """

    target: str
    state: Literal["not taken", "waits", "held", "being sent", "sent", "given up"] | _Replaced
    at: str | None = None
    reason: str | None = None
    tries: int = 0
    by_event: str | None = None


class KeptOutcome(Struct, frozen=True, kw_only=True):
    """Whether the audit log or the warehouse has it: `at` is when it was recorded or loaded.

    `not known` for the reason `why_not`. `table` is where its row is, of the warehouse.
    """

    place: Literal["audit log", "warehouse"]
    state: Literal["there", "not there", "not known"]
    at: str | None = None
    table: str | None = None
    why_not: str | None = None


class SpoolOutcome(Struct, frozen=True, kw_only=True):
    """Whether it waits on this machine, since when it was put there; or why that is not known."""

    is_here: bool
    since: str | None = None
    why_not_known: str | None = None


class LookedThrough(Struct, frozen=True, kw_only=True):
    """What was looked through of a partition of a stream, and when its oldest entry was stored.

    `is_whole` unless there was no time for all between the two.
    """

    stream: str
    partition: int
    since: str
    until: str
    begins_at: str | None
    is_whole: bool


class Candidate(Struct, frozen=True, kw_only=True):
    """An event that may be the one that was meant; `place` is `<stream>/<partition>` or `spool`."""

    event_id: str
    type: str
    subject: str
    portal: str
    domain: str | None
    received_at: str
    place: str


class EventWay(Struct, frozen=True, kw_only=True):
    """The whole way of an event, as far as it could be found.

    `received_at` is the time in the id. `why_no_redis` says why Redis was not asked to the end:
    then only the spool is sure. `spools_since` is since when events wait in spools of receivers,
    the oldest of them; `quarantined_for` is the portal in whose quarantine a delivery of this id
    is. Of `comment` and `object` one is there, if the enricher fetched what the event is about.
    `kept` is what consumers have made of it, None if they were not asked. `commands` are those that
    know more. `others` are the events that may have been meant.
    """

    event_id: str
    received_at: str | None
    is_found: bool
    spool: SpoolOutcome
    event: ReceivedEvent | None = None
    places: Sequence[EventPlace] = ()
    groups: Sequence[GroupOutcome] = ()
    comment: FetchOutcome | None = None
    object: FetchOutcome | None = None
    notifications: Sequence[NotificationOutcome] = ()
    looked: Sequence[LookedThrough] = ()
    spools_since: str | None = None
    quarantined_for: str | None = None
    why_no_redis: str | None = None
    kept: Sequence[KeptOutcome] | None = None
    commands: Sequence[str] = ()
    others: Sequence[Candidate] = ()
