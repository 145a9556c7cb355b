"""Pages of the feed: everything in order, what was asked for, and waiting for what comes."""

import asyncio
from typing import Any

import pytest
from msgspec import json
from redis.asyncio import Redis

from consumers.testing import comment_event, entity_event
from gateway.contract import Comment
from tests.integration.feed.feed_client import TOKEN, FeedClient, numbers, open_feed, put, token
from tests.support.eventually import eventually

WORDS = "fake-private-words"


async def ranges(redis: Redis) -> int:
    """How many XRANGE the server has carried out."""
    stats: Any = await redis.info("commandstats")
    return int(stats.get("cmdstat_xrange", {"calls": 0})["calls"])


async def test_all_events_come_page_by_page_and_then_the_new_ones(
    redis: Redis, redis_url: str
) -> None:
    await put(redis, [comment_event(number) for number in range(1, 251)])
    async with open_feed(redis_url) as client:
        assert await client.all("oldest") == list(range(1, 251))

        end = (await client.page(after="newest"))["cursor"]
        assert (await client.page(after=end))["events"] == []
        await put(redis, [comment_event(251)])
        page = await client.page(after=end, wait="30")

    assert numbers(page) == [251]
    assert page["events"][0]["source"] == "urn:bitrix24:portal"


async def test_a_page_that_is_not_in_memory_costs_redis_one_range(
    redis: Redis, redis_url: str
) -> None:
    await put(redis, [comment_event(number) for number in range(1, 1001)])
    async with open_feed(redis_url, buffer_bytes=65_536) as client:
        first = await client.page(after="oldest", limit="100")
        before = await ranges(redis)
        second = await client.page(after=first["cursor"], limit="100")
        third = await client.page(after=second["cursor"], limit="100")

        assert await ranges(redis) - before == 2
        assert numbers(second) + numbers(third) == list(range(101, 301))
        assert await client.all("oldest", limit="77") == list(range(1, 1001))


async def test_a_page_of_large_events_has_fewer_of_them(redis: Redis, redis_url: str) -> None:
    large = Comment(state="present", text="x" * 60_000)
    await put(redis, [comment_event(number, comment=large) for number in range(1, 51)])
    async with open_feed(redis_url, buffer_bytes=65_536) as client:
        page = await client.page(after="oldest", limit="1000")

        assert page["more"]
        assert 1_048_576 <= len(json.encode(page)) < 1_200_000
        assert numbers(page) + await client.all(page["cursor"]) == list(range(1, 51))


async def test_what_is_in_memory_costs_redis_nothing(redis: Redis, redis_url: str) -> None:
    async with open_feed(redis_url) as client:
        begin = (await client.page())["cursor"]
        await put(redis, [comment_event(number) for number in range(1, 301)])
        await client.page(after=begin, wait="30")
        before = await ranges(redis)
        found = [await client.all(begin) for _ in range(5)]

        assert await ranges(redis) == before
    assert found == [list(range(1, 301))] * 5


async def test_events_of_a_subject_stay_in_order_over_many_partitions(
    redis: Redis, redis_url: str
) -> None:
    events = [comment_event(number % 17 + 1) for number in range(400)]
    await put(redis, events, partitions=8)
    async with open_feed(redis_url, partitions=8, buffer_bytes=65_536) as client:
        found = await client.events("oldest", limit="50")

    assert len(found) == len(events)
    for subject in {event.subject for event in events}:
        assert [one["id"] for one in found if one["subject"] == subject] == [
            one.id for one in events if one.subject == subject
        ]


async def test_who_asks_for_a_type_and_a_portal_gets_these_alone(
    redis: Redis, redis_url: str
) -> None:
    await put(
        redis,
        [
            comment_event(1),
            entity_event("deal/2"),
            entity_event("deal/3", member_id="other"),
            entity_event("task/4", "bitrix24.task.updated"),
        ],
    )
    async with open_feed(redis_url) as client:
        assert await client.all("oldest", types="bitrix24.crm.deal.*") == [2, 3]
        assert await client.all("oldest", portal="other") == [3]
        assert await client.all("oldest", types="bitrix24.task.updated,*.comment.*") == [1, 4]
        nothing = await client.page(after="oldest", types="bitrix24.user.added")
        assert (nothing["events"], nothing["more"]) == ([], False)
        assert (await client.get(after=nothing["cursor"]))[0] == 200


async def test_one_who_waits_for_a_type_is_not_woken_by_others(
    redis: Redis, redis_url: str
) -> None:
    async with open_feed(redis_url) as client:
        begin = (await client.page())["cursor"]
        waiting = asyncio.create_task(
            client.page(after=begin, types="bitrix24.crm.deal.*", wait="30")
        )
        await put(redis, [comment_event(1)])
        await client.page(after=begin, wait="30")  # until that one has been sent

        assert not waiting.done()
        await put(redis, [entity_event("deal/2")])
        assert numbers(await waiting) == [2]


async def test_a_wait_that_is_over_gives_a_cursor_to_go_on_from(
    redis: Redis, redis_url: str
) -> None:
    async with open_feed(redis_url) as client:
        begin = (await client.page())["cursor"]
        page = await client.page(after=begin, wait="1")
        assert (page["events"], page["more"]) == ([], False)
        await put(redis, [comment_event(1)])

        assert numbers(await client.page(after=page["cursor"], wait="30")) == [1]


async def test_only_who_may_see_texts_sees_them(redis: Redis, redis_url: str) -> None:
    comment = Comment(state="present", text=WORDS, author_id=7)
    await put(redis, [comment_event(1, comment=comment), entity_event(fields={"TITLE": WORDS})])
    blind = "b24feed_fake-token-without-texts"
    tokens = (token(), token("blind", blind, texts=False))
    async with open_feed(redis_url, *tokens) as client:
        seen = str(await client.page(after="oldest"))
        unseen = await client.of(blind).page(after="oldest")

    assert seen.count(WORDS) == 2
    assert WORDS not in str(unseen)
    assert [event["subject"] for event in unseen["events"]] == ["comment/1", "deal/77"]
    assert unseen["events"][0]["data"]["comment"]["author_id"] == 7


async def test_a_token_lets_see_what_its_scope_names_and_no_more(
    redis: Redis, redis_url: str
) -> None:
    await put(
        redis, [comment_event(1), comment_event(2, member_id="other"), entity_event("deal/3")]
    )
    own = "b24feed_fake-token-of-one-portal"
    tokens = (token(), token("own", own, portals=("portal",), types=("*.comment.*",)))
    async with open_feed(redis_url, *tokens) as client:
        reader = client.of(own)

        assert await reader.all("oldest") == [1]
        assert (await reader.get(portal="other"))[0] == 403
        assert (await reader.get(types="*"))[0] == 403


@pytest.mark.parametrize("text", ["", "b24feed_fake-wrong-token"])
async def test_nobody_reads_without_a_token(redis_url: str, text: str) -> None:
    async with open_feed(redis_url) as client:
        stranger = client.of(text)
        async with client.session.get(client.url + "/events", headers=stranger.headers) as answer:
            said = await answer.text()

            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        # In an address a token would stand in the logs of proxies: it is not looked for there.
        assert (await client.of("").get(token=TOKEN))[0] == 401
    assert TOKEN not in said


@pytest.mark.parametrize(
    ("path", "query", "status", "why"),
    [
        ("/", {}, 404, "/events"),
        ("/events/", {}, 404, "/events"),
        ("/events", {"after": "yesterday"}, 400, "none of this feed"),
        ("/events", {"limit": "0"}, 400, "limit"),
        ("/events", {"type": "x"}, 400, "there is no parameter"),
    ],
)
async def test_what_cannot_be_answered_says_why(
    redis_url: str, path: str, query: dict[str, str], status: int, why: str
) -> None:
    async with open_feed(redis_url) as client:
        found, answer = await client.get(path, **query)

        assert found == status
        assert why in answer["error"]
        async with client.session.post(client.url + "/events", headers=client.headers) as posted:
            assert posted.status == 405


async def test_a_token_has_so_many_requests_under_way_and_others_have_theirs(
    redis_url: str,
) -> None:
    other = "b24feed_fake-token-of-another"
    tokens = (token(), token("other", other))
    async with open_feed(redis_url, *tokens, max_requests_per_token=1) as client, client.stream():
        status, answer = await client.get()

        assert (status, answer["error"]) == (429, "1 requests of this token are under way")
        assert (await client.of(other).get())[0] == 200
    async with open_feed(redis_url, *tokens, max_requests_per_token=1) as client:
        async with client.stream():
            pass
        await eventually(lambda: _is_answered(client))


async def _is_answered(client: FeedClient) -> bool:
    return (await client.get())[0] == 200
