from pathlib import Path

from redis.asyncio import Redis

from tests.integration.consumers.running import until
from tests.integration.notifier.processes import (
    comment_event,
    is_reading,
    notifier_process,
    publish,
)
from tests.integration.notifier.sinks import http_sink


async def test_an_event_on_the_stream_is_told_once_to_every_route(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with http_sink() as english, http_sink() as russian:
        routes = f"""
            allow_private = true
            [[notifier.routes]]
            urls = ["{english.url}"]
            window_s = 0
            [[notifier.routes]]
            urls = ["{russian.url}"]
            language = "ru"
            window_s = 0
        """
        with notifier_process(redis_url, routes, tmp_path) as process:
            await until(lambda: is_reading(redis))
            event = comment_event(999)

            await publish(redis, event, event, comment_event(1000))

            await until(lambda: len(english.received) == 2 and len(russian.received) == 2)
        assert process.returncode == 0
        (told,) = (one for one in english.received if one.key == event.id)
        assert told.body["title"] == "Comment updated (acme.bitrix24.com)"
        assert told.body["message"] == "Comment 999 was updated by user 7, 18 Dec 2025 08:18 UTC."
        (told,) = (one for one in russian.received if one.key == event.id)
        assert (
            told.body["message"] == "Комментарий 999 изменён, пользователь 7, 18.12.2025 08:18 UTC."
        )
