"""Answers where an event is and what became of it; finds it by id, comment, portal and time."""

from datetime import UTC, datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.console.page_question import BadQuestion, PageQuestion
from gateway.explanation.candidates import Candidates, EventWish, candidates
from gateway.explanation.event_way import EventWay
from gateway.explanation.explaining import explain
from gateway.moments import parse_moment
from gateway.ops.answer_times import ANSWER_S

__all__ = ["NAME", "EventAnswer", "load"]

NAME: Final = "event"
_LARGEST_ID: Final = 2**63 - 1


class EventAnswer(Struct, frozen=True, kw_only=True):
    """The way of the event that was asked for, or those that may be meant; None: nothing was asked.

    Of a single one that may be meant, the way is told at once. Unless `is_whole`, there was no time
    to look everywhere: for the event, or for dead letters of it.
    """

    way: EventWay | None
    candidates: Candidates | None
    is_whole: bool = True


async def load(question: PageQuestion) -> EventAnswer:
    """Raises OperatorError for what is no event's id; works while Redis is away."""
    fields = question.fields
    if event_id := fields.get("id"):
        asked = await explain(
            question.settings, event_id, within_s=ANSWER_S, looked_s=question.looked_s
        )
        if question.is_set("kept"):
            asked = replace(asked, kept=await question.looks.kept_records(event_id))
        return EventAnswer(way=asked, candidates=None, is_whole=_is_whole(asked))
    wish = _wish(question)
    if wish is None:
        return EventAnswer(way=None, candidates=None)
    half_s, looked_s = ANSWER_S / 2, question.looked_s / 2
    found = await candidates(question.settings, wish, within_s=half_s, looked_s=looked_s)
    way, is_whole = None, bool(found.found) or all(one.is_whole for one in found.looked)
    if len(found.found) == 1:
        event_id = found.found[0].event_id
        way = await explain(question.settings, event_id, within_s=half_s, looked_s=looked_s)
        is_whole = _is_whole(way)
    return EventAnswer(way=way, candidates=found, is_whole=is_whole)


def _is_whole(way: EventWay) -> bool:
    """Whether nothing of a way may have been left out for want of time."""
    is_looked_for = way.is_found or all(one.is_whole for one in way.looked)
    return is_looked_for and not any(one.is_unsure for one in way.groups)


def _wish(question: PageQuestion) -> EventWish | None:
    """What is known of the event; None if nothing is given. Raises BadQuestion."""
    fields = question.fields
    comment_id = question.number("comment", 1, most=_LARGEST_ID) if "comment" in fields else None
    portal, at = fields.get("portal"), None
    if "at" in fields:
        try:
            at = parse_moment(fields["at"], now=datetime.now(UTC))
        except ValueError as error:
            raise BadQuestion(str(error)) from error
    if comment_id is None and portal is None and at is None:
        return None
    if comment_id is None and (portal is None or at is None):
        raise BadQuestion("give an event's id, or a comment, or a portal and a time")
    return EventWish(comment_id=comment_id, portal=portal, at=at)
