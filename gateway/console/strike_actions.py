"""Strikes events of a group, so that no handler sees them, and lifts that."""

from datetime import UTC, datetime
from typing import Final

from gateway.console.act_recording import recorded
from gateway.console.action_answer import ActionAnswer
from gateway.console.page_question import BadQuestion, PageQuestion
from gateway.contract import EventSelection
from gateway.ops.group_interventions import lift_strikes, strike_events
from gateway.web.protection.visitor_rules import ConsoleVisitor

__all__ = ["ACTIONS"]


async def _strike(question: PageQuestion, visitor: ConsoleVisitor) -> ActionAnswer:
    """Let an event, those about a subject, or those of a portal become dead letters, unseen."""
    group, selection = question.required("group"), _selection(question)
    if selection.is_everything:
        raise BadQuestion("give an event, a subject or a portal")
    strike = await question.change(
        lambda redis: strike_events(
            redis, question.streams, group, selection, now=datetime.now(UTC)
        )
    )
    answer = ActionAnswer(
        action="struck", group=group, is_done=True, count=1, selection=str(strike)
    )
    return await recorded(question, visitor, answer)


async def _lift(question: PageQuestion, visitor: ConsoleVisitor) -> ActionAnswer:
    """Lift the strike of what is named, or with `all` every one of the group."""
    group, selection = question.required("group"), _selection(question)
    if selection.is_everything != question.is_set("all"):
        raise BadQuestion("give an event, a subject or a portal, or all")
    lifted = await question.change(
        lambda redis: lift_strikes(
            redis, question.streams, group, None if selection.is_everything else selection
        )
    )
    answer = ActionAnswer(
        action="strikes lifted",
        group=group,
        is_done=True,
        count=len(lifted),
        selection="; ".join(map(str, lifted)),
    )
    return await recorded(question, visitor, answer)


def _selection(question: PageQuestion) -> EventSelection:
    """Of which events: the one of an id, those about a subject, those of a portal."""
    fields = question.fields
    return EventSelection(
        portal=fields.get("portal"), subject=fields.get("subject"), event_id=fields.get("event")
    )


ACTIONS: Final = {"strike": _strike, "unstrike": _lift}
