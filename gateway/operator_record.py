"""Records in the audit log what an operator did: who, what, to how many, and why.

An act is an event on the stream `events` (gateway.record_publishing says why).
"""

import getpass
import socket
from typing import Final, Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from gateway.contract import EventSubject
from gateway.record_publishing import publish_record
from gateway.redis_access.redis_faults import FAILURES, predicate
from gateway.settings import RedisSettings

__all__ = ["OPERATOR_ACTED", "OperatorAct", "OperatorAction", "act_of_command", "record_act"]

OPERATOR_ACTED: Final = "gateway.operator.acted"
_SUBJECT: Final = "operator"
_SOURCE: Final = "gateway"
# Instead of a portal: what an operator does may be about several.

OperatorAction: TypeAlias = Literal[
    "dead letters given back",
    "dead letters dropped",
    "paused",
    "resumed",
    "struck",
    "strikes lifted",
    "group removed",
    "replayed",
    "balance written off",
    "drilled",
    "partitions changed",
    "change of partitions undone",
]


class OperatorAct(Struct, frozen=True, kw_only=True):
    """What was done, to a group if to one. `count` is to how many, `selection` which of them.

    `by` is what the operator's proxy or machine calls them, or what they call themselves;
    `let_in_by` how the gateway knew that they may, and `address` where they were. `reason` is in
    their own words, `outcome` what came of it where that is not said by `count`.
    """

    action: OperatorAction
    group: str | UnsetType = UNSET
    count: int
    selection: str | UnsetType = UNSET
    by: str
    let_in_by: str
    address: str
    reason: str | UnsetType = UNSET
    outcome: Struct | UnsetType = UNSET


def act_of_command(
    action: OperatorAction,
    *,
    count: int,
    selection: str,
    reason: str,
    outcome: Struct | UnsetType = UNSET,
) -> OperatorAct:
    """An act by a command on this machine, of the user whom the machine knows."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user id that has no name, as in containers
        user = ""
    return OperatorAct(
        action=action,
        count=count,
        selection=selection or UNSET,
        by=user,
        let_in_by="command",
        address=socket.gethostname(),
        reason=reason or UNSET,
        outcome=outcome,
    )


async def record_act(redis: RedisSettings, act: OperatorAct) -> str | None:
    """Publish a record of what has been done; None, or why it may not be in the audit log.

    It is sent once and never repeated.
    """
    try:
        await publish_record(
            redis, act, kind=OPERATOR_ACTED, member_id=_SOURCE, subject=EventSubject(_SUBJECT)
        )
    except FAILURES as error:
        return f"Redis {' '.join(predicate(error).split())}"
    return None
