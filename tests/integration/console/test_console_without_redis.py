"""The console while Redis is away: it answers in time, and says of when what it shows is."""

import time
from pathlib import Path

from gateway.local.redis_server import RedisServer
from gateway.redis_access import connections
from tests.integration.runtime.running import comment_event, publish
from tests.support.console_stage import (
    EVENTS,
    ConsoleClient,
    as_operator,
    dead_letter,
    open_console,
)
from tests.support.eventually import eventually


async def _says(client: ConsoleClient, place: str, words: str) -> bool:
    return words in (await client.get(place))[1]


async def test_pages_say_since_when_what_they_show_is_stale(
    own_server: RedisServer, tmp_path: Path
) -> None:
    async with connections.control(own_server.url) as redis:
        await publish(redis, EVENTS, [comment_event(1)])
        await redis.xgroup_create(EVENTS, "index", "0")
        await dead_letter(redis, comment_event(1))
    async with open_console(tmp_path, own_server.url) as client:
        for place in ("", "letters"):
            assert (await client.get(place))[0] == 200

        own_server.stop()

        # What somebody else has just been told may be a second old.
        await eventually(lambda: _says(client, "", "Redis is away"))
        status, html = await client.get("")
        assert (status, "as it was at" in html, ">index<" in html) == (200, True, True)
        status, html = await client.get("letters")
        assert (status, "as it was at" in html, "IndexError" in html) == (503, True, True)
        status, html = await client.get("stuck")
        assert (status, "Nothing is known from before" in html) == (503, True)
        status, text = await client.get("api/letters")
        assert (status, '"why_not":"Redis ' in text) == (503, True)


async def test_a_change_whose_answer_is_lost_is_said_to_be_perhaps_done(
    own_server: RedisServer, tmp_path: Path
) -> None:
    async with (
        connections.control(own_server.url) as redis,
        open_console(tmp_path, own_server.url) as client,
    ):
        await publish(redis, EVENTS, [comment_event(1)])
        await redis.xgroup_create(EVENTS, "index", "0")
        address = await dead_letter(redis, comment_event(1))
        await redis.client_pause(60_000, all=False)  # only what writes has to wait
        for place, wish in (
            ("pause", {"group": "index"}),
            ("remove", {"group": "index", "confirmed": "1"}),
            ("retry", {"group": "index", "address": address}),
        ):
            status, text = await as_operator(client).post(f"api/{place}", wish)
            assert (status, "may be done all the same" in text) == (503, True), (place, text)
        await redis.client_unpause()

        own_server.stop()

        status, text = await as_operator(client).post("api/pause", {"group": "index"})
        assert (status, "may be done" in text) == (503, False)


async def test_a_frozen_redis_keeps_no_page_for_long(
    own_server: RedisServer, tmp_path: Path
) -> None:
    async with open_console(tmp_path, own_server.url) as client:
        assert (await client.get("letters"))[0] == 200
        own_server.pause()
        try:
            for place in ("", "letters", "stuck", "groups", "doctor"):
                began = time.monotonic()
                await client.get(place)
                assert time.monotonic() - began < 10, place  # two, on a machine that is busy
        finally:
            own_server.resume()
