"""Answers which dead letters a group has, and why: some of them, by reason, portal and type."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct
from redis.asyncio import Redis

from gateway.console.page_question import BadQuestion, PageQuestion
from gateway.contract import PastDeath, Streams
from gateway.explanation.entry_search import SearchDeadline
from gateway.moments import parse_moment
from gateway.ops import dead_letter_access as ops
from gateway.ops.dead_letter_access import LetterFilter, StoredLetter
from gateway.ops.group_standings import standings

__all__ = [
    "NAME",
    "LetterCount",
    "LetterRow",
    "LettersAnswer",
    "every_letter",
    "load",
    "wished",
]

NAME: Final = "letters"
_SHOWN: Final = 50
_MOST: Final = 200


class LetterRow(Struct, frozen=True, kw_only=True):
    """A dead letter with what its event is about, as far as that can be read, and how it died
    before.
    """

    address: str
    failed_at: str
    reason: str
    attempts: int
    error: str
    traceback: str
    history: tuple[PastDeath, ...]
    stream: str
    entry_id: str
    event_id: str | None
    type: str | None
    portal: str | None
    domain: str | None
    subject: str | None


class LetterCount(Struct, frozen=True, kw_only=True):
    """How many letters a group has."""

    group: str
    count: int


class LettersAnswer(Struct, frozen=True, kw_only=True):
    """Who has dead letters, and some of a group: of each partition the oldest first.

    `looked_count` letters were looked through for them; `is_whole` if these were all.
    """

    counts: list[LetterCount]
    group: str | None
    letters: list[LetterRow]
    looked_count: int
    is_whole: bool


def wished(question: PageQuestion) -> LetterFilter:
    """Which letters the fields mean; raises BadQuestion."""
    return LetterFilter(
        reason=question.fields.get("reason"),
        selection=question.selection,
        since_ms=_moment_ms(question, "since"),
        until_ms=_moment_ms(question, "until"),
    )


def _moment_ms(question: PageQuestion, name: str) -> int | None:
    if (text := question.fields.get(name)) is None:
        return None
    try:
        moment = parse_moment(text, now=datetime.now(UTC))
        return max(0, round(moment.timestamp() * 1000))  # ids are not negative
    except ValueError as error:
        raise BadQuestion(f"{name}: {error}") from error


async def load(question: PageQuestion) -> LettersAnswer:
    """The letters of the group that is asked for, else of the one that has the most."""
    streams, wish = question.streams, wished(question)
    limit = question.number("limit", _SHOWN, most=_MOST)
    standing = await question.ask(lambda redis: standings(redis, streams))
    counts: dict[str, int] = {}
    # A group on both streams has one place for dead letters of each partition.
    each = {(one.group, one.partition): one.dead_letters for one in standing}
    for (name, _), count in each.items():
        counts[name] = counts.get(name, 0) + count
    found = sorted(
        (LetterCount(group=name, count=count) for name, count in counts.items()),
        key=lambda one: (-one.count, one.group),
    )
    group = question.fields.get("group") or (found[0].group if found else None)
    rows: list[LetterRow] = []
    looked, is_whole = 0, True
    if group is not None:
        chosen, deadline = group, SearchDeadline(question.looked_s)
        rows, looked, is_whole = await question.ask(
            lambda redis: _some(
                every_letter(redis, streams, chosen, since_ms=wish.since_ms), wish, limit, deadline
            )
        )
    return LettersAnswer(
        counts=found, group=group, letters=rows, looked_count=looked, is_whole=is_whole
    )


async def _some(
    letters: AsyncIterator[list[StoredLetter]],
    wish: LetterFilter,
    limit: int,
    deadline: SearchDeadline,
) -> tuple[list[LetterRow], int, bool]:
    rows: list[LetterRow] = []
    looked = 0
    async for some in letters:
        if deadline.is_over:
            return rows, looked, False
        for stored in some:
            if len(rows) == limit:
                return rows, looked, False
            looked += 1
            if wish.has(stored):
                rows.append(_row(stored))
    return rows, looked, True


async def every_letter(
    redis: Redis, streams: Streams, group: str, *, since_ms: int | None
) -> AsyncIterator[list[StoredLetter]]:
    """All letters of a group that there are now, in lists of a hundred at most, meant or not.

    So whoever reads them can end when there is no more time, also if none is meant.
    """
    newest = await ops.newest_letters(redis, streams, group)
    all_since = LetterFilter(since_ms=since_ms)
    async for some in ops.dead_letters(redis, streams, group, newest, all_since):
        yield some


def _row(stored: StoredLetter) -> LetterRow:
    letter = stored.letter
    return LetterRow(
        address=str(stored.address),
        failed_at=letter.failed_at,
        reason=letter.reason,
        attempts=letter.attempts,
        error=letter.error,
        traceback=letter.traceback,
        history=letter.history,
        stream=letter.stream,
        entry_id=letter.entry_id,
        event_id=stored.event_id,
        type=stored.type,
        portal=stored.member_id,
        domain=stored.domain,
        subject=stored.subject,
    )
