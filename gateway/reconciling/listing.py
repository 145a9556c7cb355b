"""Asks a portal for the comments of entities, fifty lists at a time, and whether some still exist.

https://apidocs.bitrix24.com/api-reference/crm/timeline/comments/crm-timeline-comment-list.html
"""

from collections import deque
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from msgspec import Struct

from gateway.bitrix24.answers import Answer, members_of
from gateway.bitrix24.batching import MAX_COMMANDS, Command
from gateway.bitrix24.client import PortalClient
from gateway.bitrix24.comments import NotAComment, comment_id_of, comment_of
from gateway.bitrix24.errors import Bitrix24Error, NotFound, Refused
from gateway.reconciling.comparing import Entity, Listing

__all__ = ["Found", "gone_among", "list_comments"]

_MAX_PAGES: Final = 5
# 250 comments of an entity: of a longer timeline, what is old is left alone.
_FIELDS: Final = (
    "ID", "ENTITY_ID", "ENTITY_TYPE", "CREATED", "COMMENT", "AUTHOR_ID", "FILES",
)  # fmt: skip


class Found(Struct, frozen=True, kw_only=True):
    """What came of asking: lists that are whole, and entities that the portal does not show."""

    listings: dict[Entity, Listing]
    refused: tuple[Entity, ...]


async def list_comments(
    portal: PortalClient, entities: Sequence[Entity], *, max_calls: int
) -> Found:
    """List the newest comments of entities, in their order, by at most so many requests.

    Those that there was no request left for, that a limit stopped, or that something other than a
    list came for, are not among the results: nothing is said of their comments.
    Raises Bitrix24Error if the portal cannot be asked.
    """
    waiting = deque((entity, 0) for entity in entities)
    hashes: dict[Entity, dict[int, str]] = {}
    listings: dict[Entity, Listing] = {}
    refused = []
    for _ in range(max_calls):
        asked = list(islice(waiting, MAX_COMMANDS))
        if not asked:
            break
        commands = {
            str(number): Command("crm.timeline.comment.list", _parameters(entity, start))
            for number, (entity, start) in enumerate(asked)
        }
        answers = await portal.batch(commands, is_repeatable=True)
        for _ in asked:
            waiting.popleft()
        for number, (entity, start) in enumerate(asked):
            match answers[str(number)]:
                case Answer(result=list() | dict()) as answer:
                    hashes.setdefault(entity, {}).update(_hashes(answer))
                    more, page = answer.next_start, start // MAX_COMMANDS + 1
                    if more is not None and page < _MAX_PAGES:
                        waiting.appendleft((entity, more))
                    else:
                        listings[entity] = Listing(hashes=hashes[entity], is_complete=more is None)
                case Refused():
                    refused.append(entity)
    return Found(listings=listings, refused=tuple(refused))


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
