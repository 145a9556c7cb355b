"""Records in the audit log what an operator did by the console: who, what, and how many."""

from typing import Final, Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from gateway.contract import EventSubject
from gateway.record_publishing import publish_record
from gateway.redis_access.redis_faults import FAILURES, predicate
from gateway.settings import RedisSettings
from gateway.web.protection.visitor_rules import ConsoleVisitor

__all__ = ["OPERATOR_ACTED", "OperatorAct", "OperatorAction", "record_act"]

OPERATOR_ACTED: Final = "gateway.operator.acted"
_SUBJECT: Final = "operator"
_SOURCE: Final = "gateway"
# Instead of a portal: what an operator does may be about several.

OperatorAction: TypeAlias = Literal[
    "dead letters given back",
    "dead letters dropped",
    "paused",
    "resumed",
    "group removed",
    "replayed",
]


class OperatorAct(Struct, frozen=True, kw_only=True):
    """What was done to a group. `count` is to how many, `selection` which of them.

    `by` is what the operator's proxy calls them, or what they call themselves; `let_in_by` how the
    gateway knew that they may, and `address` where the request came from.
    """

    action: OperatorAction
    group: str
    count: int
    selection: str | UnsetType = UNSET
    by: str
    let_in_by: str
    address: str


async def record_act(
    redis: RedisSettings,
    visitor: ConsoleVisitor,
    action: OperatorAction,
    *,
    group: str,
    count: int,
    selection: str = "",
) -> str | None:
    """Publish a record of what has been done; None, or why it may not be in the audit log."""
    act = OperatorAct(
        action=action,
        group=group,
        count=count,
        selection=selection or UNSET,
        by=visitor.name,
        let_in_by=visitor.by,
        address=visitor.address,
    )
    try:
        await publish_record(
            redis, act, kind=OPERATOR_ACTED, member_id=_SOURCE, subject=EventSubject(_SUBJECT)
        )
    except FAILURES as error:
        return f"Redis {' '.join(predicate(error).split())}"
    return None
