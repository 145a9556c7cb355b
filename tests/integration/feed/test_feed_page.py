"""The programs on the page of the feed are carried out as they stand there."""

import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import json
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from consumers.testing import comment_event
from gateway.contract import COMMENT_UPDATED
from tests.integration.feed.feed_client import TOKEN, FeedClient, open_feed, put
from tests.support.eventually import eventually
from tests.support.program import Program
from tests.support.starting import finished

PAGE = (Path(__file__).parents[3] / "docs" / "feed.md").read_text()
KEY = "b24:comments:{0}"

pytestmark = pytest.mark.timeout(180)


def block(language: str) -> str:
    """The one block in a language, or the first of several."""
    return str(re.findall(rf"(?ms)^```{language}\n(.*?)^```$", PAGE)[0])


@pytest.fixture
async def client(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FeedClient]:
    monkeypatch.setattr("consumers.feed.stream_tail.LOOK_S", 0.1)
    await put(redis, [comment_event(number) for number in (1, 2, 3)])
    async with open_feed(redis_url) as one:
        yield one


def surroundings(client: FeedClient) -> dict[str, str]:
    return {"FEED": f"{client.url}/events", "FEED_TOKEN": TOKEN}


async def test_the_first_call_of_curl_shows_what_the_page_says(client: FeedClient) -> None:
    first = next(line for line in block("sh").splitlines() if line.startswith("curl"))
    shown = await finished(("sh", "-c", first), environment=os.environ | surroundings(client))
    said = json.decode(shown.stdout)

    assert [event["subject"] for event in said["events"]] == ["comment/1", "comment/2"]
    assert list(said) == re.findall(r'(?m)(?:^\{|\],|",)"(events|cursor|more)"', block("json"))
    assert said["more"] is True


@pytest.mark.parametrize("language", ["python", "js"])
async def test_a_program_of_the_page_reads_on_and_says_what_is_missing(
    client: FeedClient, redis: Redis, tmp_path: Path, language: str
) -> None:
    runner = sys.executable if language == "python" else shutil.which("node")
    if runner is None:
        pytest.skip("no Node.js here")
    source = tmp_path / "reader.mjs"
    source.write_text(block(language))
    with Program(
        (str(runner), str(source)),
        log_file=tmp_path / "log",
        directory=tmp_path,
        environment=surroundings(client),
        is_executed=True,
    ) as reader:
        reader.launch()
        await eventually(lambda: is_followed(language))
        await put(redis, [comment_event(4)])
        await eventually(lambda: told(reader, 4))
        await redis.delete(KEY)
        await eventually(lambda: "events are missing\n" in reader.log)
        await eventually(lambda: is_followed(language))
        await put(redis, [comment_event(5)])
        await eventually(lambda: told(reader, 5))

        seen = [int(number) for number in re.findall("comment/([0-9]+)", reader.log)]
        assert seen == [*([1, 2, 3] if language == "python" else []), 4, 5]


def told(reader: Program, number: int) -> bool:
    return f"{COMMENT_UPDATED} comment/{number}\n" in reader.log


def is_followed(language: str) -> bool:
    """Whether a reader waits for what comes."""
    if language == "python":
        return REGISTRY.get_sample_value("b24_feed_waiting_requests") == 1
    return REGISTRY.get_sample_value("b24_feed_streams", {"token": "all"}) == 1
