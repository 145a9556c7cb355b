"""The feed through deploy/nginx.conf, as a real nginx runs it."""

from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from consumers.testing import comment_event
from tests.integration.deploy.edge import NAME, open_edge
from tests.integration.feed.feed_client import following, numbers, open_feed, put, sse_events


async def test_pages_pass_and_events_of_a_stream_pass_as_they_come(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with open_feed(redis_url) as client, open_edge(tmp_path, 1, feed=client.port) as edge:
        url = f"https://127.0.0.1:{edge.https}/events"
        with_tls: Any = {
            "ssl": edge.trust,
            "server_hostname": NAME,
            "headers": client.headers | {"Host": NAME},
        }
        async with client.session.get(f"{url}/stream", **with_tls) as answer:
            events = sse_events(answer.content)
            for number in range(1, 6):
                await put(redis, [comment_event(number)])
                assert [one.number for one in await following(events, 1)] == [number]
        async with client.session.get(url, params={"after": "oldest"}, **with_tls) as answer:
            assert numbers(await answer.json()) == [1, 2, 3, 4, 5]
