"""Runs changes such that none is left without its record, whoever goes away meanwhile."""

import asyncio
from typing import Any, Final

import msgspec
import structlog

from gateway.background import owned
from gateway.console import (
    balance_actions,
    dead_letter_actions,
    group_actions,
    replay_actions,
    strike_actions,
)
from gateway.console.action_answer import ActionAnswer
from gateway.console.page_question import PageQuestion
from gateway.ending import end
from gateway.web.protection.visitor_rules import ConsoleVisitor

__all__ = ["ACTIONS", "ChangeRunner"]

log: Any = structlog.get_logger(__name__)

ACTIONS: Final[dict[str, Any]] = {
    **dead_letter_actions.ACTIONS,
    **group_actions.ACTIONS,
    **strike_actions.ACTIONS,
    **replay_actions.ACTIONS,
    **balance_actions.ACTIONS,
}
_RECORDED_S: Final = 3.0
# What a step and its record may take when the process stops.


class ChangeRunner:
    """Holds the changes that are under way in a process. To be closed."""

    def __init__(self) -> None:
        self._acting: dict[asyncio.Task[ActionAnswer], asyncio.Event] = {}

    def stop(self) -> None:
        """Let changes that take long end at their next step, and be recorded."""
        for stop in self._acting.values():
            stop.set()

    async def close(self) -> None:
        """End what is under way, recorded."""
        self.stop()
        if self._acting:
            await asyncio.wait([*self._acting], timeout=_RECORDED_S)
            await end(*self._acting)

    async def run(self, name: str, question: PageQuestion, visitor: ConsoleVisitor) -> ActionAnswer:
        """What the action of this name answers; goes on to its record if nobody waits for it.

        Raises what actions raise: BadQuestion, GroupInUse, ChangeInDoubt, OperatorError, or one of
        connections.FAILURES.
        """
        acting = owned(_acted(name, question, visitor))
        self._acting[acting] = question.stop
        acting.add_done_callback(self._acting.pop)
        return await asyncio.shield(acting)


async def _acted(name: str, question: PageQuestion, visitor: ConsoleVisitor) -> ActionAnswer:
    answer: ActionAnswer = await ACTIONS[name](question, visitor)
    if answer.is_done:
        acted = msgspec.to_builtins(answer)
        log.info("an operator acted", by=visitor.name, address=visitor.address, **acted)
    return answer
