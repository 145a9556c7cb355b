"""Asks a portal for the comments of entities, fifty lists at a time, and whether some still exist.

https://apidocs.bitrix24.com/api-reference/crm/timeline/comments/crm-timeline-comment-list.html
"""

import math
from collections import deque
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from msgspec import Struct

from gateway.bitrix24.answers import Answer, members_of
from gateway.bitrix24.batching import MAX_COMMANDS, Command
from gateway.bitrix24.client import PortalClient
from gateway.bitrix24.errors import Bitrix24Error, MaybeDone, NotFound, Refused
from gateway.bitrix24.probing import why_away
from gateway.bitrix24.rest_comment import NotAComment, comment_id_of, comment_of
from gateway.missed_events.comment_comparison import Entity, Listing

__all__ = ["ListedEntities", "gone_among", "list_comments"]

_MAX_PAGES: Final = 5
# 250 comments of an entity: of a longer timeline, what is old is left alone.
_FIELDS: Final = (
    "ID", "ENTITY_ID", "ENTITY_TYPE", "CREATED", "COMMENT", "AUTHOR_ID", "FILES",
)  # fmt: skip


class ListedEntities(Struct, kw_only=True):
    """What came of asking: lists that are whole, and entities that the portal does not show.

    With the `unreadable` ones every request fails, while the portal answers others.
    """

    listings: dict[Entity, Listing] = {}
    refused: list[Entity] = []
    unreadable: list[Entity] = []


class _Page(NamedTuple):
    """What a list is asked for: fifty of an entity's comments from `start` on."""

    entity: Entity
    start: int = 0


async def list_comments(
    portal: PortalClient,
    entities: Sequence[Entity],
    *,
    max_calls: int,
    apart: Collection[Entity] = (),
) -> ListedEntities:
    """List the newest comments of entities, in their order, by at most so many requests.

    Those that there was no request left for, that a limit stopped, or that something other than a
    list came for, are not among the results: nothing is said of their comments.

    Those `apart` are asked for last, each by itself. Where a request fails as a whole and the
    portal answers nonetheless, which is one request more, its lists are asked for in pieces of
    about the root of their number, and those of a piece that fails one by one; so one bad list of
    fifty is known after nine requests at most. Raises Bitrix24Error if the portal cannot be asked.
    """
    waiting = deque(_Page(entity) for entity in entities if entity not in apart)
    last = deque([_Page(entity)] for entity in entities if entity in apart)
    pieces: deque[list[_Page]] = deque()
    hashes: dict[Entity, dict[int, str]] = {}
    found = ListedEntities()
    for _ in range(max_calls):
        is_piece = bool(pieces) or not waiting
        if not is_piece:
            asked = [waiting.popleft() for _ in range(min(MAX_COMMANDS, len(waiting)))]
        elif pieces or last:
            asked = (pieces or last).popleft()
        else:
            break
        answers = await _answers(portal, asked, is_piece=is_piece)
        if answers is not None:
            more = [
                _taken(page, answers[number], found, hashes) for number, page in enumerate(asked)
            ]
            waiting.extendleft(reversed([page for page in more if page is not None]))
        elif len(asked) > 1:
            size = math.isqrt(len(asked))
            pieces.extendleft(
                reversed([asked[one : one + size] for one in range(0, len(asked), size)])
            )
        else:
            found.unreadable.append(asked[0].entity)
    return found


async def _answers(
    portal: PortalClient, asked: Sequence[_Page], *, is_piece: bool
) -> list[Answer | Bitrix24Error] | None:
    """What came of each; None if the request failed as a whole, and the portal answers others."""
    commands = {
        str(number): Command("crm.timeline.comment.list", _parameters(*page))
        for number, page in enumerate(asked)
    }
    try:
        return list((await portal.batch(commands, is_repeatable=not is_piece)).values())
    except MaybeDone:
        if await why_away(portal) is not None:
            raise
        return None


def _taken(
    page: _Page,
    answer: Answer | Bitrix24Error,
    found: ListedEntities,
    hashes: dict[Entity, dict[int, str]],
) -> _Page | None:
    """Note what an answer says; the next page, if the list goes on and is looked at so far."""
    entity = page.entity
    match answer:
        case Answer(result=list() | dict()):
            hashes.setdefault(entity, {}).update(_hashes(answer))
            more, count = answer.next_start, page.start // MAX_COMMANDS + 1
            if more is not None and count < _MAX_PAGES:
                return _Page(entity, more)
            found.listings[entity] = Listing(hashes=hashes[entity], is_complete=more is None)
        case Refused():
            found.refused.append(entity)
    return None


async def gone_among(portal: PortalClient, comment_ids: Collection[int]) -> set[int]:
    """Those of at most fifty comments that do not exist any more; raises Bitrix24Error.

    One that is not in a list may have moved, or may not be shown to us.
    """
    commands = {str(one): Command("crm.timeline.comment.get", {"id": one}) for one in comment_ids}
    gone = set()
    for name, answer in (await portal.batch(commands, is_repeatable=True)).items():
        match answer:
            case NotFound():
                gone.add(int(name))
            case Answer() | Refused():
                pass
            case Bitrix24Error():
                raise answer
    return gone


def _parameters(entity: Entity, start: int) -> dict[str, Any]:
    return {
        "filter": {"ENTITY_TYPE": entity.type, "ENTITY_ID": entity.id},
        "order": {"ID": "DESC"},
        "select": list(_FIELDS),
        "start": start,
    }


def _hashes(answer: Answer) -> dict[int, str]:
    found = {}
    for row in members_of(answer.result).values():
        comment_id = comment_id_of(row)
        try:
            content_hash = comment_of(row, fetched_at=datetime.now(UTC)).content_hash
        except NotAComment:
            continue
        if comment_id is not None and content_hash is not None:
            found[comment_id] = content_hash
    return found
