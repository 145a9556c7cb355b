"""Takes for lost what the balance misses, when that is confirmed."""

from typing import Final

from gateway.balance.sheet import Balance
from gateway.balance.writing_off import what_is_open, write_off
from gateway.console.act_recording import recorded
from gateway.console.action_answer import ActionAnswer
from gateway.console.page_question import PageQuestion
from gateway.errors import OperatorError
from gateway.status.machine_balance import balance_now
from gateway.web.protection.visitor_rules import ConsoleVisitor

__all__ = ["ACTIONS"]


async def _write_off(question: PageQuestion, visitor: ConsoleVisitor) -> ActionAnswer:
    """Write off what is missing: that which was counted, not what was lost since."""
    balance = await question.ask(lambda redis: balance_now(redis, question.settings))
    if not balance.open:
        raise OperatorError("nothing is missing that was not written off")
    selection = what_is_open(balance)
    is_as_counted = question.fields.get("missing", selection) == selection
    is_sure = question.is_set("confirmed") and is_as_counted
    if is_sure:
        await _written_off(question, balance)
    answer = ActionAnswer(
        action="balance written off",
        is_done=is_sure,
        count=balance.open,
        selection=selection,
        again={"missing": selection},
    )
    return await recorded(question, visitor, answer)


async def _written_off(question: PageQuestion, balance: Balance) -> None:
    prefix = question.settings.redis.prefix
    await question.change(lambda redis: write_off(redis, prefix, balance))


ACTIONS: Final = {"write-off": _write_off}
