"""Describes what the receivers that share a spool have accepted, and what became of it."""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from gateway.balance.ledger import LedgerTotals

__all__ = ["DoorReport", "decoded_reports", "door_report"]


class DoorReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The sums over the ledgers of a spool's directory, and what is in the spool.

    `at_ms` is when that was so, by the clock of the receiver. `missing_since_ms` is since when
    events are missing from the spool; 0 while none are.
    """

    host: str
    directory: str
    at_ms: int
    totals: LedgerTotals
    in_spool: int
    missing_since_ms: int = 0

    @property
    def missing(self) -> int:
        """How many events were put into the spool, and are neither there nor on their stream."""
        return max(0, self.totals.spooled - self.totals.drained - self.in_spool)


def door_report(
    totals: LedgerTotals,
    in_spool: int,
    *,
    host: str,
    directory: str,
    now_ms: int,
    former: DoorReport | None,
) -> DoorReport:
    """A report for now; `former` is the last one of this spool, if there was one."""
    one = DoorReport(host=host, directory=directory, at_ms=now_ms, totals=totals, in_spool=in_spool)
    if not one.missing:
        return one
    since_ms = (former.missing_since_ms if former is not None else 0) or now_ms
    return msgspec.structs.replace(one, missing_since_ms=since_ms)


def decoded_reports(values: Mapping[bytes, bytes]) -> dict[str, DoorReport]:
    """The reports by the ids of their spools; what a later version wrote otherwise is left out."""
    return dict(_decodable(values.items()))


def _decodable(items: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[str, DoorReport]]:
    for spool_id, value in items:
        try:
            yield spool_id.decode(), msgspec.json.decode(value, type=DoorReport)
        except msgspec.MsgspecError:
            continue
