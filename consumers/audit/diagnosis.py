"""Says what is wrong with the first line of a chain that does not fit."""

from collections.abc import Iterable
from functools import partial

from consumers.audit.findings import ChainFault, What
from consumers.audit.records import InvalidRecord, decode, hash_in

__all__ = ["diagnose"]


def diagnose(
    line: bytes, *, file: str, number: int, prev: str, seq: int, following: Iterable[bytes]
) -> ChainFault:
    """Say what is wrong with `line`, where record `seq` with this `prev` was expected.

    `following` are the lines behind it in its file; they are used up.
    """
    fault = partial(ChainFault, file=file, line=number, seq=seq)
    if not line.endswith(b"\n"):
        return fault(what="truncated", detail=f"the file ends in the middle of record {seq}")
    try:
        record = decode(line)
    except InvalidRecord:
        return fault(what="changed", detail=f"record {seq} was changed: it is no record any more")
    if hash_in(line) is None:
        detail = f"record {seq} was changed: its bytes do not give its hash"
        return fault(what="changed", detail=detail)
    if record.seq > seq:
        what, detail = _ahead(record.seq, number=number, prev=prev, seq=seq, following=following)
        return fault(what=what, detail=detail)
    if record.seq < seq:
        detail = f"record {record.seq} stands here again, where record {seq} was expected"
        return fault(what="repeated", seq=record.seq, detail=detail)
    detail = f"record {seq} does not follow on from record {seq - 1}: one of them was replaced"
    return fault(what="replaced", detail=detail)


def _ahead(
    found: int, *, number: int, prev: str, seq: int, following: Iterable[bytes]
) -> tuple[What, str]:
    """What it means that record `found` stands where `seq` was expected, which comes before it."""
    follows_on = b'"prev":"%b"' % prev.encode()
    for distance, line in enumerate(following, 1):
        if follows_on in line[:120]:
            place = f"line {number + distance}"
            return (
                "reordered",
                f"record {found} stands where record {seq} was expected, which is on {place}",
            )
    gone = f"record {seq} is" if found == seq + 1 else f"records {seq} to {found - 1} are"
    return "missing", f"{gone} missing before this line"
