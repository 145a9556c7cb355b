"""Gives dead letters back, or drops them: those that are chosen, or all that are meant.

What is about all is counted first, and done when it is confirmed: to what was counted then, and
not to what came since.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from msgspec.structs import replace
from redis.asyncio import Redis

from gateway.console.action_answer import ActionAnswer
from gateway.console.dead_letter_page import every_letter, wished
from gateway.console.operator_record import OperatorAction, record_act
from gateway.console.page_question import BadQuestion, PageQuestion
from gateway.contract import Streams, timestamps
from gateway.ops import dead_letter_access as ops
from gateway.ops.answer_times import answering
from gateway.ops.dead_letter_access import DeadLetterAddress, LetterFilter
from gateway.redis_access.redis_faults import FAILURES, predicate
from gateway.web.protection.visitor_rules import ConsoleVisitor

__all__ = ["ACTIONS"]

_COUNTED_S: Final = 1.5
_DONE_S: Final = 20.0
# In one request; the same again goes on.

_Change = Callable[[Redis, Streams, str, Sequence[DeadLetterAddress]], Awaitable[int]]


async def _retry(question: PageQuestion, visitor: ConsoleVisitor) -> ActionAnswer:
    return await _changed(question, visitor, ops.retry, "dead letters given back")


async def _drop(question: PageQuestion, visitor: ConsoleVisitor) -> ActionAnswer:
    return await _changed(question, visitor, ops.drop, "dead letters dropped")


async def _changed(
    question: PageQuestion, visitor: ConsoleVisitor, change: _Change, action: OperatorAction
) -> ActionAnswer:
    """Change letters of the group: the chosen ones, or with `all` those that are meant."""
    group, is_all = question.required("group"), question.is_set("all")
    addresses = _addresses(question.fields.get("address", ""))
    if bool(addresses) == is_all:
        raise BadQuestion("choose dead letters, or all")
    is_sure, bounds = question.is_set("confirmed"), {}
    if is_all and not is_sure:
        bounds = _bounds(wished(question))
        question = replace(question, fields={**question.fields, **bounds})
    error = None
    async with answering(question.settings.redis.url) as redis:
        if not is_all:
            selection = f"{len(addresses)} chosen: {' '.join(map(str, addresses))}"
            count, is_more = await change(redis, question.streams, group, addresses), False
        else:
            selection = _named(wished(question))
            nothing = None if is_sure else _count
            count, is_more, error = await _all(redis, question, group, nothing or change)
    is_done = is_sure or not is_all
    why_not = None
    if is_done and count:
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
        is_done=is_done,
        count=count,
        is_more=is_more,
        selection=selection,
        again=bounds,
        error=error,
        not_recorded=why_not,
    )


async def _all(
    redis: Redis, question: PageQuestion, group: str, change: _Change
) -> tuple[int, bool, str | None]:
    """Change all that are meant, as far as there is time.

    How many, whether there are more, and why it ended early: what was changed before Redis failed
    has to be told, and recorded.
    """
    wish, count = wished(question), 0
    seconds = _COUNTED_S if change is _count else _DONE_S
    ends_at = asyncio.get_running_loop().time() + seconds
    try:
        async for some in every_letter(redis, question.streams, group, since_ms=wish.since_ms):
            if asyncio.get_running_loop().time() > ends_at:
                return count, True, None
            meant = [stored.address for stored in some if wish.has(stored)]
            count += await change(redis, question.streams, group, meant)
    except FAILURES as error:
        if change is _count or not count:
            raise
        return count, True, f"Redis {' '.join(predicate(error).split())}"
    return count, False, None


async def _count(
    _redis: Redis, _streams: Streams, _group: str, addresses: Sequence[DeadLetterAddress]
) -> int:
    """Change nothing."""
    return len(addresses)


def _addresses(text: str) -> list[DeadLetterAddress]:
    try:
        return [DeadLetterAddress.of(one) for one in text.split()]
    except ValueError as error:
        raise BadQuestion(str(error)) from error


def _bounds(wish: LetterFilter) -> dict[str, str]:
    """The times of a wish, such that they mean the same when it is confirmed."""
    until_ms = round(time.time() * 1000) if wish.until_ms is None else wish.until_ms
    bounds = {"until": timestamps.milliseconds(until_ms)}
    if wish.since_ms is not None:
        bounds["since"] = timestamps.milliseconds(wish.since_ms)
    return bounds


def _named(wish: LetterFilter) -> str:
    """As `reason=failed portal=acme.bitrix24.com`; `*` for all."""
    words = [
        *([f"reason={wish.reason}"] if wish.reason else []),
        *([] if wish.selection.is_everything else [str(wish.selection)]),
        *([f"since={timestamps.milliseconds(wish.since_ms)}"] if wish.since_ms else []),
        *([f"until={timestamps.milliseconds(wish.until_ms)}"] if wish.until_ms else []),
    ]
    return " ".join(words) or "*"


ACTIONS: Final = {"retry": _retry, "drop": _drop}
