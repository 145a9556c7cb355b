"""SIGHUP: portals of the settings come and go, and what is admitted all along stays so."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.drill.delivery_load import DeliveryLoad
from gateway.sandbox.bodies import body_of
from gateway.sandbox.portal import SANDBOX
from tests.support.eventually import eventually
from tests.support.receiver_process import Receiver

OTHER = "feedfeedfeedfeedfeedfeedfeedfeed"
READ = "portals of the settings read again"


def table_of(member_id: str, *tokens: str) -> str:
    return (
        f'[[portals]]\nmember_id = "{member_id}"\ndomain = "{SANDBOX.domain}"\n'
        f"application_tokens = {list(tokens)}\n"
    )


class Scene:
    """A receiver that reads its portals of a file."""

    def __init__(self, receiver: Receiver, file: Path) -> None:
        self._receiver = receiver
        self.file = file

    @property
    def port(self) -> int:
        return self._receiver.port

    async def reload(self, text: str, event: str = READ) -> dict[str, Any]:
        """Write the file, ask for it to be read, and wait for so many lines that say it was."""
        before = len(self._receiver.lines(event))
        self.file.write_text(text)
        self._receiver.send(signal.SIGHUP)
        await eventually(lambda: len(self._receiver.lines(event)) > before)
        return self._receiver.lines(event)[-1]

    async def deliver(self, member_id: str, token: str) -> int:
        """The status of a delivery of this portal."""
        body = body_of("comment.updated", portal=SANDBOX, ts=1_766_000_000, subject_id=1)
        body = body.replace(SANDBOX.member_id.encode(), member_id.encode())
        body = body.replace(SANDBOX.application_token.encode(), token.encode())
        url = f"http://127.0.0.1:{self.port}/bitrix24/events"
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        async with (
            aiohttp.ClientSession() as client,
            client.post(url, data=body, headers=headers) as answer,
        ):
            return answer.status


@asynccontextmanager
async def receiving_by_file(
    redis_url: str, directory: Path, workers: int, text: str
) -> AsyncIterator[Scene]:
    file = directory / "gateway.toml"
    file.write_text(text)
    settings = {"CONFIG": str(file), "HTTP_WORKERS": str(workers)}
    with Receiver(directory, redis_url, spool=directory / "spool", settings=settings) as receiver:
        await receiver.start()
        yield Scene(receiver, file)
        assert await receiver.stop() == 0


@pytest.mark.parametrize("workers", [1, 2])
async def test_portals_come_and_go_and_the_others_are_admitted_all_along(
    redis_url: str, tmp_path: Path, workers: int
) -> None:
    ours = table_of(SANDBOX.member_id, SANDBOX.application_token)
    async with (
        receiving_by_file(redis_url, tmp_path, workers, ours) as scene,
        DeliveryLoad([scene.port], rate=60, senders=6) as load,
    ):
        await load.until_everybody_was_answered()
        assert await scene.deliver(OTHER, "fake-other-token") == 403
        await scene.reload(ours + table_of(OTHER, "fake-other-token"))
        await eventually(lambda: is_admitted(scene, "fake-other-token"))

        both = table_of(OTHER, "fake-other-token", "fake-next-token")
        await scene.reload(ours + both)
        await eventually(lambda: is_admitted(scene, "fake-next-token"))
        assert await scene.deliver(OTHER, "fake-other-token") == 200

        await scene.reload(ours)
        await eventually(lambda: is_refused(scene, "fake-next-token"))

    assert {one.status for one in load.deliveries} == {200}


async def is_admitted(scene: Scene, token: str) -> bool:
    """By each of two workers, most probably."""
    return {await scene.deliver(OTHER, token) for _ in range(12)} == {200}


async def is_refused(scene: Scene, token: str) -> bool:
    return {await scene.deliver(OTHER, token) for _ in range(12)} == {403}


async def test_settings_that_are_refused_change_nothing(redis_url: str, tmp_path: Path) -> None:
    ours = table_of(SANDBOX.member_id, SANDBOX.application_token)
    async with receiving_by_file(redis_url, tmp_path, 1, ours) as scene:
        refused = "the settings were not read again; everything stays"
        said = await scene.reload("[http]\nprot = 1\n", refused)

        assert "prot" in said["why"]
        assert await scene.deliver(SANDBOX.member_id, SANDBOX.application_token) == 200


async def test_what_needs_a_restart_is_named(redis_url: str, tmp_path: Path) -> None:
    ours = table_of(SANDBOX.member_id, SANDBOX.application_token)
    async with receiving_by_file(redis_url, tmp_path, 1, ours) as scene:
        said = await scene.reload("[publish]\ndeadline_s = 1.5\n" + ours)

        assert said["needs_restart"] == ["publish"]
        assert said["portals"] == 1
