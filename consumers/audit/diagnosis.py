"""What is wrong with the first line of a chain that does not fit."""

from collections.abc import Iterable

from consumers.audit.findings import Fault
from consumers.audit.records import InvalidRecord, decode, hash_in

__all__ = ["diagnose"]


def diagnose(
    line: bytes, *, file: str, number: int, prev: str, seq: int, following: Iterable[bytes]
) -> Fault:
    """Say what is wrong with `line`, where record `seq` with this `prev` was expected.

    `following` are the lines behind it in its file; they are used up.
    """
    if not line.endswith(b"\n"):
        return Fault(
            what="truncated",
            file=file,
            line=number,
            seq=seq,
            detail=f"the file ends in the middle of record {seq}",
        )
    try:
        record = decode(line)
    except InvalidRecord:
        return Fault(
            what="changed",
            file=file,
            line=number,
            seq=seq,
            detail=f"record {seq} was changed: it is no record any more",
        )
    if hash_in(line) is None:
        return Fault(
            what="changed",
            file=file,
            line=number,
            seq=seq,
            detail=f"record {seq} was changed: its bytes do not give its hash",
        )
    if record.seq > seq:
        return _ahead(record.seq, file=file, number=number, prev=prev, seq=seq, following=following)
    if record.seq < seq:
        return Fault(
            what="repeated",
            file=file,
            line=number,
            seq=record.seq,
            detail=f"record {record.seq} stands here again, where record {seq} was expected",
        )
    return Fault(
        what="replaced",
        file=file,
        line=number,
        seq=seq,
        detail=f"record {seq} does not follow on from record {seq - 1}: one of them was replaced",
    )


def _ahead(
    found: int, *, file: str, number: int, prev: str, seq: int, following: Iterable[bytes]
) -> Fault:
    follows_on = b'"prev":"%b"' % prev.encode()
    for distance, line in enumerate(following, 1):
        if follows_on in line[:120]:
            return Fault(
                what="reordered",
                file=file,
                line=number,
                seq=seq,
                detail=f"record {found} stands where record {seq} was expected, "
                f"which is on line {number + distance}",
            )
    gone = f"record {seq} is" if found == seq + 1 else f"records {seq} to {found - 1} are"
    return Fault(
        what="missing", file=file, line=number, seq=seq, detail=f"{gone} missing before this line"
    )
