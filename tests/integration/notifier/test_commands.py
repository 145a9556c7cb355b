import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web
from click.testing import CliRunner, Result
from redis.asyncio import Redis

import consumers.cli
from gateway.errors import OperatorError
from gateway.local.redis_server import free_port
from tests.integration.notifier.desk import Desk
from tests.integration.notifier.processes import comment_event
from tests.integration.notifier.sinks import http_sink


async def run(directory: Path, settings: str, *words: str) -> Result:
    """`consumers notifier …` with these settings."""
    config = directory / "gateway.toml"
    config.write_text(settings)
    arguments: Sequence[str] = ("--config", str(config), "notifier", *words)
    return await asyncio.to_thread(CliRunner().invoke, consumers.cli.cli, list(arguments))


def route(url: str) -> str:
    return (
        f'[notifier]\nallow_private = true\n[[notifier.routes]]\nname = "sales"\nurls = ["{url}"]\n'
    )


async def test_check_shows_a_sample_of_every_message_and_sends_none(tmp_path: Path) -> None:
    async with http_sink() as sink:
        shown = await run(tmp_path, route(f"{sink.url}fakesecret?+X-Key=fakesecret"), "check")

    assert shown.exit_code == 0
    assert "fakesecret" not in shown.output
    for sample in ("an edit", "a new comment", "a deletion", "without the text", "a digest"):
        assert f"(text): {sample}\n" in shown.output
    assert "Comment updated: deal 2 (acme.bitrix24.com)" in shown.output
    assert sink.asked == 0


async def test_check_shows_samples_of_the_events_that_are_taken(tmp_path: Path) -> None:
    declared = '[[events]]\nname = "onCrmDeal*"\n[[events]]\nname = "onTask*"\n'
    async with http_sink() as sink:
        deals = route(sink.url) + 'events = ["bitrix24.crm.deal.*"]\nlanguage = "ru"\n'
        shown = await run(tmp_path, declared + deals, "check")
        idle = await run(tmp_path, deals, "check")

    assert shown.exit_code == 0
    assert "Сделка изменена: Ninety desks" in shown.output
    assert "(text): deal.moved\n" in shown.output
    assert "(text): a task\n" not in shown.output
    assert isinstance(idle.exception, OperatorError)
    assert str(idle.exception) == (
        "[[notifier.routes]] sales events: none of these is taken; name some in [[events]]"
    )


async def test_check_can_send_the_samples(tmp_path: Path) -> None:
    async with http_sink() as sink:
        shown = await run(tmp_path, route(sink.url), "check", "--send", "--json")

    lines = [json.loads(line) for line in shown.output.splitlines()]
    assert shown.exit_code == 0
    assert all(line["accepted"] for line in lines)
    assert [line["body"] for line in lines] == sink.bodies


async def test_check_fails_when_a_target_refuses(tmp_path: Path) -> None:
    async with http_sink() as sink:
        sink.answer = lambda _: web.Response(status=403)
        shown = await run(tmp_path, route(sink.url), "check", "--send")

    assert shown.exit_code == 1
    assert "=> NOT ACCEPTED: HTTP 403: " in shown.output


async def test_check_names_the_routes_there_are(tmp_path: Path) -> None:
    shown = await run(tmp_path, route("json://127.0.0.1/"), "check", "--route", "support")

    assert isinstance(shown.exception, OperatorError)
    assert str(shown.exception) == "no such route; there are: sales"


async def test_backlog_shows_what_waits_and_which_target_is_left_alone(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    url = f"json://127.0.0.1:{free_port()}/"
    desk = Desk(redis, {"urls": (url,), "name": "sales", "window_s": 0.0})
    for number in range(3):
        await desk.hear(comment_event(number))
    await desk.work()
    settings = f'[redis]\nurl = "{redis_url}"\n{route(url)}'

    table = await run(tmp_path, settings, "backlog")
    (line,) = (await run(tmp_path, settings, "backlog", "--json")).output.splitlines()

    assert table.output.splitlines()[1].split()[:2] == ["sales/1", "3"]
    found = json.loads(line)
    assert (found["target"], found["waiting"]) == ("sales/1", 3)
    assert found["oldest_s"] > 0
    assert 0 < found["paused_s"] <= 4


async def test_backlog_says_when_redis_is_away(tmp_path: Path) -> None:
    settings = f'[redis]\nurl = "redis://127.0.0.1:{free_port()}/0"\n{route("json://127.0.0.1/")}'

    shown = await run(tmp_path, settings, "backlog")

    assert isinstance(shown.exception, OperatorError)
    assert str(shown.exception).startswith("Redis cannot be reached: ")
