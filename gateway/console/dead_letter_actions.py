"""Gives dead letters back, or drops them: those that are chosen, or all that are meant.

What is about all is counted first, and done when it is confirmed: to what was counted then, and
not to what came since.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from msgspec.structs import replace
from redis.asyncio import Redis

from gateway.console.act_recording import recorded
from gateway.console.action_answer import ActionAnswer
from gateway.console.change_doubt import ChangeInDoubt, in_doubt
from gateway.console.dead_letter_page import every_letter, wished
from gateway.console.page_question import BadQuestion, PageQuestion
from gateway.contract import Streams, timestamps
from gateway.operator_record import OperatorAction
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
    nothing = _count if is_all and not is_sure else None
    async with answering(question.settings.redis) as redis:
        if is_all:
            selection = _named(wished(question))
            each = _meant(redis, question, group)
        else:
            selection = f"{len(addresses)} chosen: {' '.join(map(str, addresses))}"
            each = _by_partition(addresses)
        count, is_more, error = await _in_turn(
            each,
            lambda some: (nothing or change)(redis, question.streams, group, some),
            within_s=_COUNTED_S if nothing else _DONE_S,
            stop=question.stop,
        )
    answer = ActionAnswer(
        action=action,
        group=group,
        is_done=is_sure or not is_all,
        count=count,
        is_more=is_more,
        selection=selection,
        again=bounds,
        error=error,
    )
    return await recorded(question, visitor, answer)


async def _in_turn(
    each: AsyncIterator[list[DeadLetterAddress]],
    change: Callable[[list[DeadLetterAddress]], Awaitable[int]],
    *,
    within_s: float,
    stop: asyncio.Event,
) -> tuple[int, bool, str | None]:
    """Change these lists, as far as there is time, and until it is to stop.

    How many, whether there are more, and why it ended early: what was changed before Redis failed
    has to be told, and recorded. Raises ChangeInDoubt, or one of connections.FAILURES, if nothing
    was.
    """
    count = 0
    ends_at = asyncio.get_running_loop().time() + within_s
    try:
        async for some in each:
            if stop.is_set() or asyncio.get_running_loop().time() > ends_at:
                return count, True, None
            with in_doubt():
                count += await change(some)
    except ChangeInDoubt as error:
        if not count:
            raise
        return count, True, str(error)
    except FAILURES as error:
        if not count:
            raise
        return count, True, f"Redis {' '.join(predicate(error).split())}"
    return count, False, None


async def _meant(
    redis: Redis, question: PageQuestion, group: str
) -> AsyncIterator[list[DeadLetterAddress]]:
    """All letters that are meant; lists may be empty, so that whoever has no time can end."""
    wish = wished(question)
    async for some in every_letter(redis, question.streams, group, since_ms=wish.since_ms):
        yield [stored.address for stored in some if wish.has(stored)]


async def _by_partition(
    addresses: Sequence[DeadLetterAddress],
) -> AsyncIterator[list[DeadLetterAddress]]:
    """The chosen ones, of one partition each: one may be on a server that is away."""
    for partition in sorted({one.partition for one in addresses}):
        yield [one for one in addresses if one.partition == partition]


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
