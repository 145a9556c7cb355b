"""Gives a group old events again: counted first, and done, in turns, when that is confirmed."""

import asyncio
from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace
from redis.asyncio import Redis

from gateway.console.act_recording import recorded
from gateway.console.action_answer import ActionAnswer
from gateway.console.change_doubt import may_be_done
from gateway.console.page_question import BadQuestion, PageQuestion
from gateway.contract import EventSelection, Streams, timestamps
from gateway.ops import redelivery as ops
from gateway.ops.answer_times import reach
from gateway.ops.redelivery import Replay, ReplayPosition
from gateway.redis_access import connections
from gateway.web.protection.visitor_rules import ConsoleVisitor

__all__ = ["ACTIONS"]

_PER_S: Final = 500.0
_DONE_S: Final = 20.0
_COUNTED_S: Final = 1.5
_COMMAND_S: Final = 10.0
_LAST: Final = str(2**64 - 1)
# The last entry of a millisecond: https://redis.io/docs/latest/commands/xrange/


async def _replay(question: PageQuestion, visitor: ConsoleVisitor) -> ActionAnswer:
    """Replay what is meant, at five hundred a second; after twenty seconds the same goes on.

    Nobody is notified of it. The answer has the fields with which it goes on with the same bounds.
    """
    streams = question.streams
    await reach(question.settings.redis)
    client = connections.publisher(question.settings.redis.url, timeout_s=_COMMAND_S)
    async with client as redis:
        wanted = await _wanted(question, redis)
        bounds = {
            "stream": wanted.stream,
            "from": _id(wanted.first, "0"),
            "to": _id(wanted.last, _LAST),
        }
        selection = await _told(redis, streams, wanted)
        if not question.is_set("confirmed"):
            count, is_estimate = await _count(redis, streams, wanted)
            return ActionAnswer(
                action="replayed",
                group=wanted.group,
                is_done=False,
                count=count,
                is_estimate=is_estimate,
                selection=selection,
                again=bounds,
            )
        timer = asyncio.get_running_loop().call_later(_DONE_S, question.stop.set)
        try:
            outcome = await ops.replay(
                redis, streams, wanted, per_second=_PER_S, told=_unheard, stop=question.stop
            )
        finally:
            timer.cancel()
    place = {} if outcome.stopped_at is None else {"go_on": str(outcome.stopped_at)}
    answer = ActionAnswer(
        action="replayed",
        group=wanted.group,
        is_done=True,
        count=outcome.count,
        is_more=outcome.stopped_at is not None,
        selection=selection,
        again=bounds | place,
        error=None if outcome.error is None else may_be_done(outcome.error),
    )
    return await recorded(question, visitor, answer)


async def _wanted(question: PageQuestion, redis: Redis) -> Replay:
    """What the fields mean; raises BadQuestion, and OperatorError if the group reads nothing."""
    fields, now = question.fields, datetime.now(UTC)
    group, stream = question.required("group"), fields.get("stream")
    if stream not in {None, "events", "comments"}:
        raise BadQuestion("stream: events or comments")
    try:
        wanted = Replay(
            group=group,
            stream=stream or "",
            first=ops.parse_bound(question.required("from"), now=now),
            # What comes in while it runs is not part of it: the group gets that anyway.
            last=ops.parse_bound(fields.get("to", "0s"), now=now),
            selection=EventSelection(
                portal=fields.get("portal"), type=fields.get("type"), event_id=fields.get("event")
            ),
            after=ReplayPosition.of(fields["go_on"]) if "go_on" in fields else None,
        )
    except ValueError as error:
        raise BadQuestion(str(error)) from error
    own = stream or await ops.stream_of_group(redis, question.streams, group)
    return replace(wanted, stream=own)


async def _count(redis: Redis, streams: Streams, wanted: Replay) -> tuple[int, bool]:
    """How many; at most so many, if those that are meant cannot be counted in time."""
    try:
        async with asyncio.timeout(_COUNTED_S):
            found = await ops.count_replay(redis, streams, wanted)
            return found.count, found.is_estimate
    except TimeoutError:
        every = replace(wanted, selection=EventSelection())
        return (await ops.count_replay(redis, streams, every)).count, True


async def _told(redis: Redis, streams: Streams, wanted: Replay) -> str:
    """What is replayed, and whether the stream has it still."""
    begins_ms = await ops.missing_before(redis, streams, wanted)
    gone = "" if begins_ms is None else f"; before {timestamps.milliseconds(begins_ms)} it is gone"
    return f"{wanted.stream} {wanted.first} to {wanted.last}, {wanted.selection}{gone}"


def _id(bound: str, sequence: str) -> str:
    """A bound as an entry id, which stays the same whenever it is read."""
    return bound if "-" in bound else f"{bound}-{sequence}"


def _unheard(_count: int) -> None:
    """Nobody waits for the count on the way."""


ACTIONS: Final = {"replay": _replay}
