"""From a delivery with a wrong token to its event: the receiver, the commands and the stream."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from gateway.cli import cli
from gateway.contract import CommentEvent, decode_event
from gateway.errors import OperatorError
from gateway.portals.application_tokens import digest_of, shown
from gateway.publishing.stream_writer import StreamWriter
from gateway.sandbox.bodies import body_of
from gateway.sandbox.portal import SANDBOX
from tests.support.eventually import eventually
from tests.support.receiver_process import Receiver, receiving

NEW_TOKEN = "fake-token-after-the-rotation-00"
OTHER_TOKEN = "fake-token-that-nobody-registers"
KEY = Fernet.generate_key().decode()
Portals = Callable[..., Awaitable[Result]]


@pytest.fixture
def portals(redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Portals:
    """Calls `gateway portals …`; raises what ends the program."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)
    monkeypatch.setenv("GATEWAY_REDIS_URL", redis_url)
    monkeypatch.setenv("GATEWAY_VAULT_KEYS", json.dumps([KEY]))
    sandbox = {
        "member_id": SANDBOX.member_id,
        "domain": SANDBOX.domain,
        "application_tokens": [SANDBOX.application_token],
    }
    monkeypatch.setenv("GATEWAY_PORTALS", json.dumps([sandbox]))

    async def call(*arguments: str) -> Result:
        result = await asyncio.to_thread(CliRunner().invoke, cli, ["portals", *arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert NEW_TOKEN not in result.output
        return result

    return call


@pytest.fixture
async def receiver(redis_url: str, tmp_path: Path) -> AsyncIterator[Receiver]:
    async with receiving(tmp_path, redis_url, {"VAULT_KEYS": json.dumps([KEY])}) as receiver:
        yield receiver
    assert NEW_TOKEN not in receiver.log


async def send(receiver: Receiver, comment_id: int, token: str) -> tuple[int, str]:
    portal = msgspec.structs.replace(SANDBOX, application_token=token)
    body = body_of("comment.updated", portal=portal, ts=1_766_047_133, subject_id=comment_id)
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"http://127.0.0.1:{receiver.port}/bitrix24/events",
            data=body,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        ) as response,
    ):
        return response.status, await response.text()


async def listed(portals: Portals) -> list[dict[str, Any]]:
    output = (await portals("quarantine", "list", "--json")).output
    return [json.loads(line) for line in output.splitlines()]


async def until_kept(portals: Portals, count: int) -> list[dict[str, Any]]:
    async def are_kept() -> bool:
        return bool(sum(row["count"] for row in await listed(portals)) >= count)

    await eventually(are_kept)
    return await listed(portals)


async def events(redis: Redis) -> list[CommentEvent]:
    entries: Any = await redis.xrange("b24:events:{0}")
    found = [decode_event(fields[b"event"]) for _, fields in entries]
    return [event for event in found if isinstance(event, CommentEvent)]


async def test_what_came_with_the_new_token_is_published_once_the_token_is_registered(
    redis: Redis, portals: Portals, receiver: Receiver
) -> None:
    for comment_id in (1, 2, 3):
        assert await send(receiver, comment_id, NEW_TOKEN) == (403, "forbidden")
    await send(receiver, 4, OTHER_TOKEN)

    rows = {row["token_digest"]: row for row in await until_kept(portals, 4)}
    row = rows[shown(digest_of(NEW_TOKEN))]
    assert (row["member_id"], row["domain"], row["count"]) == (
        *(SANDBOX.member_id, SANDBOX.domain),
        3,
    )
    assert (row["type"], row["subject"]) == (
        "bitrix24.crm.timeline.comment.updated",
        "comment/3",
    )
    shown_output = (await portals("quarantine", "show", SANDBOX.member_id, "--json")).output
    deliveries = [json.loads(line) for line in shown_output.splitlines()]
    assert [one["subject"] for one in deliveries] == [f"comment/{n}" for n in (1, 2, 3, 4)]

    too_early = await portals("quarantine", "admit")
    assert (too_early.exit_code, await events(redis)) == (1, [])
    assert too_early.output.count("wrong_token") == 2

    await portals("add", SANDBOX.member_id, "--token", NEW_TOKEN)
    admitted = await portals("quarantine", "admit", SANDBOX.member_id, "--json")

    assert admitted.exit_code == 1
    digest = shown(digest_of(OTHER_TOKEN))
    assert json.loads(admitted.output) == {
        "published": [one["receipt_id"] for one in deliveries[:3]],
        "remaining": [{"token_digest": digest, "reason": "wrong_token", "deliveries": 1}],
    }
    published = await events(redis)
    assert [event.data.comment_id for event in published] == [1, 2, 3]
    assert [event.id for event in published] == [one["receipt_id"] for one in deliveries[:3]]
    assert [event.receivedat for event in published] == [
        one["received_at"] for one in deliveries[:3]
    ]

    assert (await portals("quarantine", "admit")).output.splitlines() == [
        "published: 0",
        f"remaining: 1 with token {digest}: wrong_token",
    ]
    dropped = await portals("quarantine", "drop", SANDBOX.member_id, "--yes", "--json")
    assert json.loads(dropped.output) == {"removed": 1}
    assert await listed(portals) == []
    assert len(await events(redis)) == 3


async def test_admitting_that_dies_after_the_write_publishes_once(
    redis: Redis,
    redis_url: str,
    portals: Portals,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await send(receiver, 1, NEW_TOKEN)
    await until_kept(portals, 1)
    await portals("add", SANDBOX.member_id, "--token", NEW_TOKEN)
    write = StreamWriter.write_all

    async def written_but_unanswered(*arguments: Any) -> None:
        await write(*arguments)
        raise ConnectionResetError

    monkeypatch.setattr(StreamWriter, "write_all", written_but_unanswered)
    with pytest.raises(OperatorError, match="Redis does not do its part"):
        await portals("quarantine", "admit")
    assert len(await events(redis)) == 1

    monkeypatch.setattr(StreamWriter, "write_all", write)
    results = await asyncio.gather(*(portals("quarantine", "admit") for _ in range(2)))

    assert {result.exit_code for result in results} == {0}
    assert len(await events(redis)) == 1
    assert await listed(portals) == []


async def test_without_the_key_what_is_kept_is_counted_and_can_be_dropped(
    portals: Portals, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await send(receiver, 1, NEW_TOKEN)
    await until_kept(portals, 1)
    monkeypatch.delenv("GATEWAY_VAULT_KEYS")

    (row,) = await listed(portals)
    assert (row["count"], row["type"]) == (1, "cannot be read")
    with pytest.raises(OperatorError, match=r"\[vault\] keys is empty"):
        await portals("quarantine", "admit")
    monkeypatch.setenv("GATEWAY_VAULT_KEYS", json.dumps([Fernet.generate_key().decode()]))
    assert "unreadable" in (await portals("quarantine", "admit")).output

    none = await portals("quarantine", "drop", SANDBOX.member_id, "--token-digest", "", "--yes")
    assert none.output == "removed: 0\n"
    assert (await portals("quarantine", "drop", SANDBOX.member_id, "--yes")).output == (
        "removed: 1\n"
    )


@pytest.mark.parametrize("key", ["short", "env:FAKE_UNSET_KEY"])
async def test_a_key_that_cannot_be_used_is_named_without_being_shown(
    portals: Portals, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("GATEWAY_VAULT_KEYS", json.dumps([key]))

    with pytest.raises(OperatorError, match=r"\[vault\] keys, no. 1"):
        await portals("quarantine", "list")
