"""Pauses and resumes groups, and removes one that nobody works for."""

from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace

from gateway.console.act_recording import recorded
from gateway.console.action_answer import ActionAnswer
from gateway.console.change_doubt import ChangeInDoubt
from gateway.console.page_question import BadQuestion, PageQuestion
from gateway.contract import EventSelection
from gateway.errors import OperatorError
from gateway.moments import parse_deadline
from gateway.ops.group_interventions import end_pauses, pause_group
from gateway.ops.group_removal import GroupInUse, look_at_group, remove_group
from gateway.redis_access.redis_faults import FAILURES, predicate
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
    pause = await question.change(
        lambda redis: pause_group(redis, question.streams, group, selection, until=until, now=now)
    )
    answer = ActionAnswer(action="paused", group=group, is_done=True, count=1, selection=str(pause))
    return await recorded(question, visitor, answer)


async def _resume(question: PageQuestion, visitor: ConsoleVisitor) -> ActionAnswer:
    """End the pause of what is named, or with `all` every pause of the group."""
    group = question.required("group")
    selection = None if question.is_set("all") else _selection(question)
    ended = await question.change(
        lambda redis: end_pauses(redis, question.streams, group, selection)
    )
    what = "; ".join(map(str, ended))
    answer = ActionAnswer(
        action="resumed", group=group, is_done=True, count=len(ended), selection=what
    )
    return await recorded(question, visitor, answer)


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
    is_sure = question.is_set("confirmed")
    answer = ActionAnswer(
        action="group removed",
        group=group,
        is_done=is_sure,
        # One without keys is removed from its streams all the same.
        count=max(found.keys, 1) if is_sure else found.keys,
        selection=selection,
    )
    if is_sure:
        answer = await _removed(question, answer)
    return await recorded(question, visitor, answer)


async def _removed(question: PageQuestion, whole: ActionAnswer) -> ActionAnswer:
    """Remove it; if that ends early, what was removed until then, counted in partitions.

    Raises GroupInUse, ChangeInDoubt, or one of connections.FAILURES, if that was nothing.
    """
    streams, gone = question.streams, list[int]()
    try:
        await question.change(
            lambda redis: remove_group(redis, streams, whole.group, told=gone.append)
        )
    except (GroupInUse, ChangeInDoubt, *FAILURES) as error:
        if not gone:
            raise
        is_told = isinstance(error, GroupInUse | ChangeInDoubt)
        why = str(error) if is_told else f"Redis {' '.join(predicate(error).split())}"
    else:
        return whole
    part = f"on {len(gone)} of {len(streams.numbers)} partitions; before: {whole.selection}"
    return replace(whole, count=len(gone), is_more=True, selection=part, error=why)


def _selection(question: PageQuestion) -> EventSelection:
    """Of which events: of a portal, of a type, or all."""
    return EventSelection(portal=question.fields.get("portal"), type=question.fields.get("type"))


ACTIONS: Final = {"pause": _pause, "resume": _resume, "remove": _remove}
