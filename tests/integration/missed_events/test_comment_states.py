"""What consumers were told of comments, read off the stream `comments`."""

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from gateway.contract import Comment, Streams, encode_event
from gateway.missed_events.comment_comparison import Entity, Listing
from gateway.missed_events.comment_states import CommentStates
from tests.integration.runtime.running import comment_event

STREAMS = Streams(partitions=2)
PORTAL = "portal"
DEAL = Entity("deal", 15)


@pytest.fixture
def book(redis: Redis) -> CommentStates:
    return CommentStates(redis, STREAMS, max_entities=5, kept_days=1)


async def tell(
    redis: Redis, comment_id: int, content: str | None, *, entity: Entity = DEAL, partition: int = 0
) -> None:
    """Let consumers be told what a comment is like; None if it was deleted."""
    event = comment_event(comment_id)
    comment = Comment(
        state="present" if content else "deleted",
        entity_type=entity.type,
        entity_id=entity.id,
        content_hash=content,
    )
    told = replace(event, data=replace(event.data, comment=comment))
    await redis.xadd(STREAMS.key("comments", partition), {"event": encode_event(told)})


async def known_to(book: CommentStates, entity: Entity = DEAL) -> dict[int, str]:
    known = await book.known(PORTAL, entity)
    return {one: told.content_hash for one, told in known.told.items()}


async def test_the_last_that_was_told_of_each_comment_is_known(
    redis: Redis, book: CommentStates
) -> None:
    await tell(redis, 1, "a")
    await tell(redis, 2, "b", partition=1)
    await tell(redis, 3, "c")
    await book.catch_up()
    await tell(redis, 1, "A")
    await tell(redis, 3, None)
    await redis.xadd(STREAMS.key("comments", 0), {"event": encode_event(comment_event(9))})
    await redis.xadd(STREAMS.key("comments", 0), {"event": b"rubbish"})

    for _ in range(2):
        await book.catch_up()
        assert await known_to(book) == {1: "A", 2: "b"}


async def test_another_process_goes_on_where_the_last_one_was(
    redis: Redis, book: CommentStates
) -> None:
    for number in range(1, 1200):
        await tell(redis, number, "text")
    await book.catch_up()
    await redis.xtrim(STREAMS.key("comments", 0), maxlen=0)
    await tell(redis, 1200, "text")

    await CommentStates(redis, STREAMS, max_entities=5, kept_days=1).catch_up()

    assert len(await known_to(book)) == 1200


async def test_a_list_is_noted_as_what_consumers_know(redis: Redis, book: CommentStates) -> None:
    await tell(redis, 1, "a")
    await tell(redis, 2, "b")
    await book.catch_up()
    known = await book.known(PORTAL, DEAL)

    listing = Listing(hashes={1: "A", 3: "c"}, is_complete=True)
    await book.note(PORTAL, DEAL, listing, known, listed_ms=1000)

    assert await known_to(book) == {1: "A", 3: "c"}
    known = await book.known(PORTAL, DEAL)
    assert (known.listed_ms, known.highest_id) == (1000, 3)


async def test_what_consumers_were_told_since_the_list_is_not_overwritten(
    redis: Redis, book: CommentStates
) -> None:
    for comment_id in (1, 2, 3):
        await tell(redis, comment_id, "old")
    await book.catch_up()
    known = await book.known(PORTAL, DEAL)
    await tell(redis, 1, "newest")
    await tell(redis, 2, None)
    await tell(redis, 4, "added")
    await book.catch_up()

    listing = Listing(hashes={1: "new", 2: "new", 3: "new"}, is_complete=True)
    await book.note(PORTAL, DEAL, listing, known, listed_ms=1000)

    assert await known_to(book) == {1: "newest", 3: "new", 4: "added"}


async def test_the_entities_heard_of_last_are_looked_after_those_listed_longest_ago_first(
    redis: Redis, book: CommentStates
) -> None:
    for number in range(1, 9):
        await tell(redis, number, "text", entity=Entity("deal", number))
    await book.catch_up()
    listing = Listing(hashes={}, is_complete=True)
    for number, listed_ms in ((8, 3000), (6, 2000)):
        entity = Entity("deal", number)
        known = await book.known(PORTAL, entity)
        await book.note(PORTAL, entity, listing, known, listed_ms=listed_ms)
    await book.forget(PORTAL, Entity("deal", 5))

    entities = [entity.id for entity, _ in await book.entities(PORTAL)]

    assert sorted(entities[:2]) == [4, 7]
    assert entities[2:] == [6, 8]
    assert await book.entities("another portal") == []


async def test_nothing_is_kept_for_ever(redis: Redis, book: CommentStates) -> None:
    await tell(redis, 1, "a")
    await book.catch_up()

    for name in ("b24:told:{portal}", "b24:told:{portal}:deal:15"):
        assert 0 < await redis.ttl(name) <= 24 * 3600
