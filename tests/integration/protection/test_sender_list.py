"""The list of senders: followed in a file and at a URL, and what is broken changes nothing."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from math import inf
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from gateway.errors import OperatorError
from gateway.settings import HttpSettings
from gateway.web.protection import list_fetch, list_source, list_watch, sender_list
from gateway.web.protection.guard import Guard, guard_of
from gateway.web.protection.sender_list import SenderList
from tests.support.eventually import eventually

GOOD = b'{"nodes": ["192.0.2.7", "198.51.100.0/24"]}'


class Publisher:
    """Publishes a list, or answers otherwise."""

    def __init__(self) -> None:
        self.content = GOOD
        self.status = 200
        self.asked = 0
        self.url = ""

    async def answer(self, _request: web.Request) -> web.Response:
        self.asked += 1
        headers = {"Location": "/other"} if self.status == 302 else {}
        return web.Response(status=self.status, body=self.content, headers=headers)


@pytest.fixture
async def publisher(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Publisher]:
    monkeypatch.setattr(list_fetch, "_LOOK_S", 0.02)
    monkeypatch.setattr(list_fetch, "_RETRY_S", 0.05)
    monkeypatch.setattr(sender_list, "is_url", lambda source: source.startswith("http://"))
    publisher = Publisher()
    app = web.Application()
    app.router.add_get("/list.json", publisher.answer)
    app.router.add_get("/other", publisher.answer)
    async with TestServer(app) as server:
        publisher.url = str(server.make_url("/list.json"))
        yield publisher


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_watch, "_LOOK_S", 0.02)


def guard() -> Guard:
    made = guard_of(HttpSettings(allow_mode="enforce", allow_source="senders.json"))
    assert made is not None
    return made


async def test_a_file_is_read_at_the_start_and_again_when_it_changes(tmp_path: Path) -> None:
    path, ours = tmp_path / "senders.txt", guard()
    path.write_bytes(GOOD)
    senders = SenderList(ours, str(path), tmp_path, refresh_s=300)
    senders.start()
    assert ours.refuses("192.0.2.7", ()) is None
    assert ours.refuses("203.0.113.1", ()) == "203.0.113.1"

    path.write_text("203.0.113.0/24\n")

    await eventually(lambda: ours.refuses("203.0.113.1", ()) is None)
    assert ours.refuses("192.0.2.7", ()) == "192.0.2.7"
    await senders.close()


@pytest.mark.parametrize("content", [b"", b'{"nodes": []}', b"<html>", b"x" * (1 << 21), None])
async def test_a_file_that_is_empty_broken_or_gone_changes_nothing_and_is_told_once(
    tmp_path: Path, content: bytes | None
) -> None:
    path, ours = tmp_path / "senders.txt", guard()
    path.write_bytes(GOOD)
    watch = list_watch.ListWatch(ours, path, max_age_s=inf)
    assert watch.look()

    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with capture_logs() as logs:
        assert [watch.look() for _ in range(3)] == [False] * 3

    assert [line["event"] for line in logs] == [
        "the list of senders cannot be used; the last one goes on"
    ]
    assert ours.refuses("192.0.2.7", ()) is None
    path.write_bytes(b"203.0.113.0/24")
    assert watch.look()
    assert ours.refuses("192.0.2.7", ()) == "192.0.2.7"


@pytest.mark.parametrize("content", [None, b"", b"nothing"])
async def test_a_file_that_is_no_list_stops_the_start(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "senders.txt"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(OperatorError, match=r"allow_source: .*senders\.txt is no list"):
        SenderList(guard(), str(path), tmp_path, refresh_s=300).start()


async def test_a_url_is_fetched_and_until_then_everybody_may_deliver(
    publisher: Publisher, tmp_path: Path
) -> None:
    ours = guard()
    senders = SenderList(ours, publisher.url, tmp_path, refresh_s=300)
    senders.start()
    assert ours.refuses("203.0.113.1", ()) is None

    await eventually(lambda: ours.refuses("203.0.113.1", ()))

    assert ours.refuses("192.0.2.7", ()) is None
    await senders.close()
    assert publisher.asked == 1


@pytest.mark.parametrize(
    ("status", "content"),
    [(500, b""), (302, b""), (200, b'{"nodes": []}'), (200, b" " * (1 << 21)), (404, GOOD)],
)
async def test_a_publisher_in_trouble_is_tried_again_and_the_last_list_goes_on(
    publisher: Publisher, tmp_path: Path, status: int, content: bytes
) -> None:
    ours = guard()
    senders = SenderList(ours, publisher.url, tmp_path, refresh_s=0.05)
    senders.start()
    await eventually(lambda: ours.refuses("203.0.113.1", ()))
    publisher.status, publisher.content = status, content

    with capture_logs() as logs:
        await eventually(lambda: len(logs) >= 2)
        assert ours.refuses("192.0.2.7", ()) is None
        publisher.status, publisher.content = 200, b'["203.0.113.1"]'
        await eventually(lambda: ours.refuses("203.0.113.1", ()) is None)

    assert logs[0]["event"] == "the list of senders was not fetched"
    assert ours.refuses("192.0.2.7", ()) == "192.0.2.7"
    await senders.close()


async def test_of_several_processes_one_fetches_and_a_restart_has_the_last_list_at_once(
    publisher: Publisher, tmp_path: Path
) -> None:
    guards = [guard(), guard()]
    lists = [SenderList(one, publisher.url, tmp_path, refresh_s=300) for one in guards]
    for one in lists:
        one.start()
    await eventually(lambda: all(one.refuses("203.0.113.1", ()) for one in guards))
    assert publisher.asked == 1
    for one in lists:
        await one.close()

    publisher.status = 500
    again = guard()
    senders = SenderList(again, publisher.url, tmp_path, refresh_s=300)
    senders.start()

    assert again.refuses("203.0.113.1", ()) == "203.0.113.1"
    await senders.close()
    assert publisher.asked == 1


async def fetch_an_hour_ago(publisher: Publisher, directory: Path) -> None:
    """Leave the files of a receiver that has stood still since."""
    senders = SenderList(guard(), publisher.url, directory, refresh_s=300)
    senders.start()
    await eventually(lambda: any(directory.glob("*.list")))
    await senders.close()
    age(directory)


def age(directory: Path) -> None:
    for path in directory.glob("senders-*"):
        os.utime(path, (time.time() - 3600,) * 2)


async def test_a_sender_that_is_new_since_the_last_run_is_refused_at_no_time(
    publisher: Publisher, tmp_path: Path
) -> None:
    await fetch_an_hour_ago(publisher, tmp_path)
    publisher.content = b'["192.0.2.7", "203.0.113.1"]'
    ours = guard()
    senders = SenderList(ours, publisher.url, tmp_path, refresh_s=300)

    senders.start()
    async with asyncio.timeout(10):
        while ours.refuses("198.51.100.1", ()) is None:
            assert ours.refuses("203.0.113.1", ()) is None
            await asyncio.sleep(0)

    assert ours.refuses("203.0.113.1", ()) is None
    await senders.close()


async def test_an_old_list_is_in_force_again_when_no_newer_one_can_be_had(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fetch_an_hour_ago(publisher, tmp_path)
    monkeypatch.setattr(list_watch, "_PATIENCE_S", 0.2)
    publisher.status = 500
    ours = guard()
    senders = SenderList(ours, publisher.url, tmp_path, refresh_s=300)

    with capture_logs() as logs:
        senders.start()
        assert ours.refuses("203.0.113.1", ()) is None
        await eventually(lambda: ours.refuses("203.0.113.1", ()))

    assert logs[0]["event"] == "everybody may deliver until the list of senders has been fetched"
    assert ours.refuses("192.0.2.7", ()) is None
    await senders.close()


async def test_when_the_fetching_process_dies_another_one_fetches(
    publisher: Publisher, tmp_path: Path
) -> None:
    lists = [SenderList(guard(), publisher.url, tmp_path, refresh_s=0.05) for _ in range(2)]
    for one in lists:
        one.start()
    await eventually(lambda: publisher.asked)
    await lists[0].close()
    asked = publisher.asked

    await eventually(lambda: publisher.asked > asked + 1)
    await lists[1].close()


async def test_another_urls_list_is_not_taken(publisher: Publisher, tmp_path: Path) -> None:
    first = SenderList(guard(), publisher.url, tmp_path, refresh_s=300)
    first.start()
    await eventually(lambda: any(tmp_path.glob("*.list")))
    await first.close()
    ours = guard()

    senders = SenderList(ours, publisher.url + "?other", tmp_path, refresh_s=300)
    senders.start()

    assert ours.refuses("203.0.113.1", ()) is None
    await senders.close()


async def test_a_directory_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    source = "https://lists.example/a.json"

    with pytest.raises(OperatorError, match=r"\[spool\] dir"):
        SenderList(guard(), source, tmp_path / "gone", refresh_s=300).start()


def test_only_https_is_a_url() -> None:
    assert list_source.is_url("https://lists.example/a.json")
    assert not list_source.is_url("/etc/gateway/senders.json")
