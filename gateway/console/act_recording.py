"""Records what a change answers that it has done, and says so in the answer."""

from msgspec import UNSET
from msgspec.structs import replace

from gateway.console.action_answer import ActionAnswer
from gateway.console.page_question import PageQuestion
from gateway.operator_record import OperatorAct, record_act
from gateway.web.protection.visitor_rules import ConsoleVisitor

__all__ = ["recorded"]


async def recorded(
    question: PageQuestion, visitor: ConsoleVisitor, answer: ActionAnswer
) -> ActionAnswer:
    """The same answer, with why what was done may not be in the audit log.

    Records nothing where nothing was done. Not idempotent: each call is a record.
    """
    if not (answer.is_done and answer.count):
        return answer
    act = OperatorAct(
        action=answer.action,
        group=answer.group or UNSET,
        count=answer.count,
        selection=answer.selection or UNSET,
        by=visitor.name,
        let_in_by=visitor.by,
        address=visitor.address,
        reason=question.reason or UNSET,
    )
    return replace(answer, not_recorded=await record_act(question.settings.redis, act))
