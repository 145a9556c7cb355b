"""Draws the balance up: what was accepted against what became of it. Pure.

    accepted = on the stream + in spools + refused + unanswered + under way + missing

`on the stream` is counted by the script that puts events there, everything else by receivers. So
what Redis has lost (a restore of an old copy, a failover to a replica that was behind) is missing
as well as what vanishes from a spool. Receivers report every few seconds: what they have reported
is on the stream when it is looked at, so a difference in this direction is a loss, while what came
since is none.

    given to a group = handled + passed over + dead + struck + erased + in hand + missing

is counted by the script that acknowledges, at the same moment as the server's own numbers.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from gateway.balance.door_report import DoorReport

__all__ = ["Balance", "DoorSheet", "GroupSheet", "Missing", "balance_without_redis", "door_sheet"]

_STALE_MS: Final = 60_000


class Missing(Struct, frozen=True, kw_only=True):
    """Events that were accepted and are nowhere: how many, where from, and since when (Unix ms).

    `where` is `spool <directory> on <host>`, `redis` or `group <name> on <stream>`; `written_off`
    of them an operator has accepted as lost.
    """

    where: str
    count: int
    since_ms: int | None = None
    written_off: int = 0

    @property
    def open(self) -> int:
        """How many nobody has answered for."""
        return max(0, self.count - self.written_off)


class DoorSheet(Struct, frozen=True, kw_only=True):
    """What became of all that receivers have accepted.

    `published` counts the events that the script has put on the stream for receivers, `once` those
    that others have put there (found afterwards, installations, troubles, records), which are
    apart. `silent` are the spools whose receivers have not reported for a minute: what is said of
    them was so then.
    """

    accepted: int
    published: int
    in_spools: int
    refused: dict[str, int]
    unanswered: int
    under_way: int
    once: int
    silent: tuple[str, ...] = ()


class GroupSheet(Struct, frozen=True, kw_only=True):
    """What became of the entries that a group was given, on all partitions of a stream.

    `given`, and so `missing`, is None where the server cannot tell how many that were. `since_ms`
    is since when it is counted. `waiting` entries were not given to it yet, None where the server
    cannot tell how many that are.
    """

    group: str
    stream: str
    added: int
    given: int | None
    handled: int
    passed_over: int
    dead: int
    struck: int
    erased: int
    in_hand: int
    since_ms: int | None
    waiting: int | None = None

    @property
    def missing(self) -> int | None:
        """How many were given and are nowhere; None if that cannot be told."""
        if self.given is None:
            return None
        accounted = self.handled + self.passed_over + self.dead + self.struck + self.erased
        return max(0, self.given - accounted - self.in_hand)


class Balance(Struct, frozen=True, kw_only=True):
    """All of it at a moment (Unix ms, by the clock of Redis).

    With `why_no_redis` it is what one machine knows by itself, by its clock: `published` as its
    receivers count it, no groups, and nothing of what others have, or of what was written off.
    """

    at_ms: int
    door: DoorSheet
    groups: tuple[GroupSheet, ...]
    missing: tuple[Missing, ...]
    why_no_redis: str | None = None

    @property
    def open(self) -> int:
        """How many events are missing that nobody has answered for; 0: the balance closes."""
        return sum(one.open for one in self.missing)


def door_sheet(
    reports: Mapping[str, DoorReport], *, published: int, once: int, now_ms: int
) -> tuple[DoorSheet, list[Missing]]:
    """The sheet of the receivers, and what is missing there, by what they have reported."""
    of = list(reports.values())
    refused: dict[str, int] = {}
    for one in of:
        for reason, count in one.totals.refused.items():
            refused[reason] = refused.get(reason, 0) + count
    sheet = DoorSheet(
        accepted=sum(one.totals.accepted for one in of),
        published=published,
        in_spools=sum(one.in_spool for one in of),
        refused=refused,
        unanswered=sum(one.totals.unanswered for one in of),
        under_way=sum(one.totals.under_way for one in of),
        once=once,
        silent=tuple(_name(one) for one in of if now_ms - one.at_ms > _STALE_MS),
    )
    missing = [
        Missing(where=f"spool {_name(one)}", count=one.missing, since_ms=one.missing_since_ms)
        for one in of
        if one.missing
    ]
    if lost := _lost_by_redis(of, published):
        missing.append(Missing(where="redis", count=lost))
    return sheet, missing


def balance_without_redis(reports: Mapping[str, DoorReport], *, now_ms: int, why: str) -> Balance:
    """The balance of a machine's receivers alone; `why` is why Redis does not say more."""
    told = _told(list(reports.values()))
    door, missing = door_sheet(reports, published=told, once=0, now_ms=now_ms)
    return Balance(at_ms=now_ms, door=door, groups=(), missing=tuple(missing), why_no_redis=why)


def _lost_by_redis(reports: Sequence[DoorReport], published: int) -> int:
    return max(0, _told(reports) - published)


def _told(reports: Sequence[DoorReport]) -> int:
    """How many events receivers have put on the stream, as they count them themselves."""
    return sum(one.totals.streamed + one.totals.drained for one in reports)


def _name(one: DoorReport) -> str:
    return f"{one.directory} on {one.host}"
