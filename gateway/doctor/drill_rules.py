"""Judges when the last drill was, and how it went. Pure."""

from gateway.contract import timestamps
from gateway.doctor.finding import Finding, red, warning, well
from gateway.drill_record import DrillRecord

__all__ = ["judge_drill"]


def judge_drill(record: DrillRecord | None, *, version: str) -> Finding:
    """What the record of the last drill means for an installation of this version."""
    if record is None:
        return warning(
            "drill",
            "none has been run: nobody has seen how this installation bears faults",
            "gateway drill, before portals deliver to it",
        )
    when = timestamps.seconds(record.at.timestamp())
    if not record.is_well:
        first = next(one for one in record.outcomes if not one.is_well)
        return red(
            "drill",
            f"the last one, at {when}, did not go well: {first.fault}: {first.wrong[0]}",
            "see docs/drill.md, then gateway drill",
        )
    if record.version != version:
        return warning(
            "drill",
            f"the last one, at {when}, was of version {record.version}, and this is {version}",
            "gateway drill, after each upgrade",
        )
    if not record.is_whole:
        tried = ", ".join(one.fault for one in record.outcomes)
        return warning(
            "drill", f"the last one, at {when}, tried only {tried}", "gateway drill, without --only"
        )
    return well("drill", f"the last one, at {when}, went well")
