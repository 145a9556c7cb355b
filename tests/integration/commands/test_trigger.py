"""`gateway trigger` against a receiver that keeps what it got and answers as it is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from click.testing import CliRunner, Result

from gateway.cli import cli
from gateway.contract.catalogue import CATALOGUE
from gateway.local.redis_server import free_port


class Receiver:
    """Answers `status`, and remembers bodies and headers."""

    def __init__(self) -> None:
        self.status = 200
        self.bodies: list[bytes] = []
        self.content_types: list[str] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        self.content_types.append(request.content_type)
        if self.status != 200:
            return web.Response(status=self.status, text="forbidden")
        headers = {"X-Event-Id": f"id-{len(self.bodies)}", "X-Event-Stored": "stream"}
        return web.Response(text="ok", headers=headers)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/bitrix24/events", receiver.handle)
    async with TestServer(app) as server:
        receiver.url = str(server.make_url("/bitrix24/events"))
        yield receiver


Trigger = Callable[..., "asyncio.Future[Result]"]


@pytest.fixture
def trigger(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> Trigger:
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)

    def call(*arguments: str) -> "asyncio.Future[Result]":
        return asyncio.ensure_future(
            asyncio.to_thread(CliRunner().invoke, cli, ["trigger", *arguments])
        )

    return call


async def test_the_answer_is_told_in_one_line(receiver: Receiver, trigger: Trigger) -> None:
    shown = await trigger("comment.updated", "--url", receiver.url, "--comment-id", "12")

    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith("comment.updated  200 ok  id-1 stored in the stream  ")
    assert receiver.content_types == ["application/x-www-form-urlencoded"]
    assert b"data%5BFIELDS%5D%5BID%5D=12&" in receiver.bodies[0]


async def test_json_has_one_object_for_each_request(receiver: Receiver, trigger: Trigger) -> None:
    shown = await trigger(
        *("comment.added", "--url", receiver.url, "--form", "webhook", "--json"),
        *("--repeat", "3", "--rate", "1000"),
    )

    told = [json.loads(line) for line in shown.output.splitlines()]
    assert [one["event_id"] for one in told] == ["id-1", "id-2", "id-3"]
    assert {one["form"] for one in told} == {"webhook"}
    assert all(one["took_ms"] > 0 for one in told)


async def test_a_refused_request_ends_with_1(receiver: Receiver, trigger: Trigger) -> None:
    receiver.status = 403

    shown = await trigger("comment.updated", "--url", receiver.url)

    assert (shown.exit_code, shown.output.split("  ")[1]) == (1, "403 forbidden")


async def test_nobody_there_is_one_line_and_exit_code_1(trigger: Trigger) -> None:
    url = f"http://127.0.0.1:{free_port()}/"

    shown = await trigger("comment.updated", "--url", url)

    assert shown.exit_code == 1
    assert shown.output.startswith(f"Error: no answer from {url}")
    assert len(shown.output.splitlines()) == 1


async def test_the_registered_portal_sends(
    receiver: Receiver, trigger: Trigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal = {"member_id": "m1", "domain": "m1.example", "application_tokens": ["fake-token-1"]}
    monkeypatch.setenv("GATEWAY_PORTALS", json.dumps([portal]))

    await trigger("comment.deleted", "--url", receiver.url)

    assert b"auth%5Bmember_id%5D=m1&" in receiver.bodies[0]
    assert receiver.bodies[0].endswith(b"application_token%5D=fake-token-1")


async def test_the_body_can_be_looked_at_without_sending(trigger: Trigger) -> None:
    shown = await trigger("comment.updated", "--show", "--form", "as-documented")

    assert shown.exit_code == 0
    assert shown.output.startswith("event=onCrmTimelineCommentUpdate&data%5BID%5D=999&ts=")


async def test_an_event_is_meant_by_its_documented_name_too(trigger: Trigger) -> None:
    shown = await trigger("oncrmtimelinecommentdelete", "--show", "--id", "7")

    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith("event=ONCRMTIMELINECOMMENTDELETE&")
    assert "data%5BFIELDS%5D%5BID%5D=7&" in shown.output


async def test_an_item_is_one_of_the_smart_process_that_is_told(trigger: Trigger) -> None:
    shown = await trigger("item.updated", "--show", "--id", "24", "--entity-type-id", "1036")

    assert shown.exit_code == 0, shown.output
    assert "data%5BFIELDS%5D%5BID%5D=24&" in shown.output
    assert "data%5BFIELDS%5D%5BENTITY_TYPE_ID%5D=1036&" in shown.output


async def test_the_list_names_every_event(trigger: Trigger) -> None:
    shown = await trigger("--list", "--json")

    names = [json.loads(line)["event"] for line in shown.output.splitlines()]
    assert {row.short_name for row in CATALOGUE} < set(names)
    assert len((await trigger("--list")).output.splitlines()) == len(names)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "EVENT: no such event; --list shows all"),
        (("comment.update",), "EVENT: no such event; did you mean comment.updated?"),
        (("app.installed", "--form", "webhook"), "app.installed has no form webhook"),
        (("deal.added", "--entity-type-id", "2"), "not about the items of a smart process"),
        (("comment.added", "--url", "ftp://x"), "must begin with http:// or https://"),
    ],
)
async def test_a_wrong_argument_is_named(
    trigger: Trigger, arguments: tuple[str, ...], said: str
) -> None:
    shown = await trigger(*arguments)

    assert shown.exit_code == 2
    assert said in shown.output
