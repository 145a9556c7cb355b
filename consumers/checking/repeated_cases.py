"""Makes the cases about when events come, how often, of which portals: alike for all subjects."""

from typing import Any, Protocol

from consumers.checking.case import MEMBER_ID, OTHER_MEMBER_ID, Case

__all__ = ["MakesEvent", "repeated_cases"]


class MakesEvent(Protocol):
    """Makes one more event about the same subject, with other attributes or data."""

    def __call__(self, *, attributes: dict[str, Any] | None = None, **data: Any) -> bytes:
        """As it stands on the stream."""


def repeated_cases(subject: str, event: MakesEvent) -> list[Case]:
    """The cases; their names begin with `subject`."""
    twice = event()
    return [
        Case(
            name=f"{subject}-twice",
            about="the same event stands on the stream twice, with one id",
            events=(twice, twice),
        ),
        Case(
            name=f"{subject}-redelivered",
            about="an entry comes again, as after a crash before it was acknowledged",
            events=(event(),),
            is_redelivered=True,
        ),
        Case(
            name=f"{subject}-replayed",
            about="an operator has it replayed: entry.is_replay is true",
            events=(event(),),
            is_replay=True,
        ),
        Case(
            name=f"{subject}-recovered",
            about="it was missed and found a day later: recovered is true",
            events=(event(attributes={"recovered": True, "happened_ago_s": 86_400.0}),),
        ),
        Case(
            name=f"{subject}-out-of-order",
            about="a later event has an earlier time, and one is of the future",
            events=(
                event(),
                event(attributes={"happened_ago_s": 3600.0}),
                event(attributes={"happened_ago_s": -3600.0}),
            ),
        ),
        Case(
            name=f"{subject}-two-portals",
            about="two portals have one with the same id",
            events=tuple(
                event(attributes={"member_id": one}, member_id=one)
                for one in (MEMBER_ID, OTHER_MEMBER_ID)
            ),
        ),
        Case(
            name=f"{subject}-renamed-portal",
            about="the domain of a portal changes, and is empty",
            events=(event(domain="renamed.bitrix24.example"), event(domain="")),
        ),
    ]
