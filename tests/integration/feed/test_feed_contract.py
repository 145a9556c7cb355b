"""What the feed answers is what the contract says that it does."""

import pytest
from jsonschema import ValidationError
from msgspec import json
from redis.asyncio import Redis

from consumers.testing import comment_event, entity_event
from gateway.contract.asyncapi import asyncapi
from tests.integration.feed.feed_client import open_feed, put
from tests.support.contract_schemas import judge_payload

KEY = "b24:comments:{0}"


async def test_pages_streams_and_gaps_are_as_described(redis: Redis, redis_url: str) -> None:
    channels = asyncapi()["channels"]
    await put(redis, [comment_event(1), entity_event()])
    async with open_feed(redis_url) as client:
        status, page = await client.get(channels["feed"]["address"], after="oldest")
        assert status == 200
        judge_payload("FeedPage", page)
        with pytest.raises(ValidationError):
            judge_payload("FeedPage", {**page, "events": [{"type": "bitrix24.crm.deal.updated"}]})
        async with client.stream(after="oldest") as events:
            judge_payload("StreamedEvent", json.decode((await anext(events)).data))
    await redis.delete(KEY)
    await put(redis, [comment_event(number) for number in range(3, 6)])
    async with open_feed(redis_url) as client:
        status, gone = await client.get(after=page["cursor"])

    assert (
        status == asyncapi()["components"]["messages"]["FeedGone"]["bindings"]["http"]["statusCode"]
    )
    judge_payload("FeedGone", gone)
    judge_payload("StreamedGone", gone)


async def test_every_described_parameter_is_taken_and_no_other(
    redis: Redis, redis_url: str
) -> None:
    values = {"after": "oldest", "types": "*", "portal": "portal", "limit": "1", "wait": "0"}
    query = asyncapi()["operations"]["readFeed"]["bindings"]["http"]["query"]["properties"]
    assert values.keys() == query.keys()
    await put(redis, [comment_event(1)])
    async with open_feed(redis_url) as client:
        assert (await client.get(**values))[0] == 200
        assert (await client.get(since="oldest"))[0] == 400
