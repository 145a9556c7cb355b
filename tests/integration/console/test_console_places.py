"""The console of a receiver with workers, on a cluster, with few rights, without Jinja2."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from redis.asyncio import Redis

from gateway.redis_access import connections
from tests.integration.runtime.running import comment_event, publish
from tests.support.console_stage import (
    DEAD,
    EVENTS,
    SAME_ORIGIN,
    ConsoleClient,
    as_operator,
    dead_letter,
    open_console,
)
from tests.support.program import ROOT
from tests.support.receiver_process import Receiver
from tests.support.redis_users import denied, rights_of

PAGES = ("now", "letters?group=index", "stuck", "tail", "portals", "groups", "doctor")


async def furnish(redis: Redis) -> None:
    await publish(redis, EVENTS, [comment_event(number) for number in (1, 2)])
    await redis.xgroup_create(EVENTS, "index", "0")
    await redis.xreadgroup("index", "one", {EVENTS: ">"}, count=1)
    await dead_letter(redis, comment_event(1))


async def all_pages(client: ConsoleClient) -> dict[str, int]:
    return {page: (await client.get(page))[0] for page in PAGES}


async def test_with_workers_the_console_is_the_supervisors(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    await furnish(redis)
    async with open_console(tmp_path, redis_url, {"HTTP_WORKERS": "2"}) as client:
        assert set((await all_pages(client)).values()) == {200}
        wish = {"group": "index", "all": "1", "confirmed": "1"}
        assert (await as_operator(client).post("act/retry", wish, **SAME_ORIGIN))[0] == 200
        assert await redis.xlen(DEAD) == 0


async def test_on_a_cluster_all_pages_answer(cluster_url: str, tmp_path: Path) -> None:
    async with connections.control(cluster_url) as redis:
        await furnish(redis)
    async with open_console(tmp_path, cluster_url, {"REDIS_PARTITIONS": "4"}) as client:
        assert set((await all_pages(client)).values()) == {200}
        wish = {"group": "index", "all": "1", "confirmed": "1"}
        assert (await as_operator(client).post("act/retry", wish, **SAME_ORIGIN))[0] == 200
        assert (await client.api("letters?group=index"))["letters"] == []


async def test_an_account_that_may_only_look_looks_and_says_what_it_may_not(
    redis: Redis, users: Any, limited_url: str, redis_url: str, tmp_path: Path
) -> None:
    await furnish(redis)
    await users(*rights_of("looker"), "+acl|whoami", "+acl|dryrun", "+config|get")
    async with open_console(tmp_path, redis_url, {"CONSOLE_REDIS_URL": limited_url}) as client:
        assert set((await all_pages(client)).values()) == {200}
        assert await denied(redis) == []

        wish = {"group": "index", "all": "1", "confirmed": "1"}
        status, html = await as_operator(client).post("act/retry", wish, **SAME_ORIGIN)
        assert (status, "Redis denies it" in html) == (503, True)
        assert await redis.xlen(DEAD) == 1


async def test_an_account_that_repairs_may_do_all_that_the_console_does(
    redis: Redis, users: Any, limited_url: str, redis_url: str, tmp_path: Path
) -> None:
    await furnish(redis)
    await users(*rights_of("operator"))
    async with open_console(tmp_path, redis_url, {"CONSOLE_REDIS_URL": limited_url}) as client:
        assert set((await all_pages(client)).values()) == {200}
        operator = as_operator(client)
        for place, wish in (
            ("retry", {"group": "index", "all": "1", "confirmed": "1"}),
            ("pause", {"group": "index"}),
            ("resume", {"group": "index"}),
            ("replay", {"group": "index", "from": "1h"}),
            ("replay", {"group": "index", "from": "1h", "confirmed": "1"}),
            ("remove", {"group": "index", "confirmed": "1"}),
        ):
            status, html = await operator.post(f"act/{place}", wish, **SAME_ORIGIN)
            assert (status, "may not be in the audit log" in html) == (200, False), html
        assert await denied(redis) == []


async def test_a_portal_that_hangs_is_said_to_hang_and_not_redis(
    redis_url: str, tmp_path: Path
) -> None:
    async def never(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _reader.read()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    portal = {
        "member_id": "slow",
        "domain": "slow.bitrix24.example",
        "application_tokens": ["fake-application-token"],
        "rest_webhook": f"http://127.0.0.1:{port}/rest/1/fakewebhook/",
    }
    portals = {"PORTALS": msgspec.json.encode([portal]).decode()}
    async with server, open_console(tmp_path, redis_url, portals) as client:
        answer = await client.api("portals?portal=slow")

    assert answer["standing"] is None
    assert "slow does not answer within" in answer["why_not"]


async def test_without_jinja_the_console_says_in_one_line_what_to_install(
    redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "jinja2.py").write_text("raise ModuleNotFoundError(name='jinja2')")
    with Receiver(
        tmp_path,
        redis_url,
        spool=tmp_path / "spool",
        environment={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
    ) as receiver:
        await receiver.start()
        async with aiohttp.ClientSession() as session:
            status, text = await ConsoleClient(receiver, session, "").get("")

    assert (status, text.count("\n")) == (501, 1)
    assert "pip install 'bitrix24-event-gateway[console]'" in text
