"""Pauses and resumes groups, and removes one that nobody works for."""

from datetime import UTC, datetime
from typing import Final

from gateway.console.action_answer import ActionAnswer
from gateway.console.operator_record import OperatorAction, record_act
from gateway.console.page_question import BadQuestion, PageQuestion
from gateway.contract import EventSelection
from gateway.errors import OperatorError
from gateway.moments import parse_deadline
from gateway.ops.group_interventions import end_pauses, pause_group
from gateway.ops.group_removal import look_at_group, remove_group
from gateway.web.protection.visitor_rules import ConsoleVisitor

__all__ = ["ACTIONS"]


async def _pause(question: PageQuestion, visitor: ConsoleVisitor) -> ActionAnswer:
    """Let a group wait, or its events of a portal or type, until a time or until further notice."""
    group, now = question.required("group"), datetime.now(UTC)
    until = None
    if text := question.fields.get("until"):
        try:
            until = parse_deadline(text, now=now)
        except ValueError as error:
            raise BadQuestion(str(error)) from error
    selection = _selection(question)
    pause = await question.ask(
        lambda redis: pause_group(redis, question.streams, group, selection, until=until, now=now)
    )
    return await _done(question, visitor, "paused", group=group, count=1, selection=str(pause))


async def _resume(question: PageQuestion, visitor: ConsoleVisitor) -> ActionAnswer:
    """End the pause of what is named, or with `all` every pause of the group."""
    group = question.required("group")
    selection = None if question.is_set("all") else _selection(question)
    ended = await question.ask(lambda redis: end_pauses(redis, question.streams, group, selection))
    what = "; ".join(map(str, ended))
    return await _done(question, visitor, "resumed", group=group, count=len(ended), selection=what)


async def _remove(question: PageQuestion, visitor: ConsoleVisitor) -> ActionAnswer:
    """Remove a group with all its keys, when it is confirmed. Raises GroupInUse."""
    group = question.required("group")
    found = await question.ask(lambda redis: look_at_group(redis, question.streams, group))
    if found.is_nothing:
        raise OperatorError(f"there is nothing of a group {group}")
    selection = (
        f"{found.lag} not given, {found.pending} in hand, {found.dead_letters} dead letters, "
        f"{found.keys} keys"
    )
    if not question.is_set("confirmed"):
        return ActionAnswer(
            action="group removed",
            group=group,
            is_done=False,
            count=found.keys,
            selection=selection,
        )
    await question.ask(lambda redis: remove_group(redis, question.streams, group))
    return await _done(
        question, visitor, "group removed", group=group, count=found.keys, selection=selection
    )


def _selection(question: PageQuestion) -> EventSelection:
    """Of which events: of a portal, of a type, or all."""
    return EventSelection(portal=question.fields.get("portal"), type=question.fields.get("type"))


async def _done(
    question: PageQuestion,
    visitor: ConsoleVisitor,
    action: OperatorAction,
    *,
    group: str,
    count: int,
    selection: str,
) -> ActionAnswer:
    why_not = None
    if count:
        why_not = await record_act(
            question.settings.redis,
            visitor,
            action,
            group=group,
            count=count,
            selection=selection,
        )
    return ActionAnswer(
        action=action,
        group=group,
        is_done=True,
        count=count,
        selection=selection,
        not_recorded=why_not,
    )


ACTIONS: Final = {"pause": _pause, "resume": _resume, "remove": _remove}
