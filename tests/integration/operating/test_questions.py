"""The eight questions of docs/operations.md, each asked by its command, also with Redis away."""

import asyncio
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import json

from gateway.contract import PortalData
from gateway.local.redis_server import RedisServer
from gateway.redis_access import connections
from gateway.sandbox.portal import SANDBOX
from tests.integration.operating.installation import INDEX, OTHER, Installation, posted
from tests.support.eventually import eventually
from tests.support.portal_trouble import note_trouble

PAGE: Final = Path(__file__).parents[3] / "docs" / "operations.md"
GROUP: Final = "search-index"


def questions() -> dict[str, list[str]]:
    """The command of each question, as the page has it."""
    _, _, table = PAGE.read_text().partition("## Eight questions\n")
    rows = re.findall(r"(?m)^\| ([^|]+\?) \| `gateway ([^`]+)` \|", table)
    return {question: shlex.split(command) for question, command in rows}


async def asked(here: Installation, **meant: str) -> Mapping[str, Any]:
    """What each is answered, all asked at once: its exit code, and its objects."""
    commands = [[meant.get(word, word) for word in words] for words in questions().values()]
    ended = await asyncio.gather(*(here.said(*words, "--json") for words in commands))
    return dict(zip(questions(), ended, strict=True))


def objects(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.decode(line) for line in done.stdout.splitlines()]


async def _goes_silent(url: str) -> None:
    trouble = PortalData(
        member_id=SANDBOX.member_id,
        domain=SANDBOX.domain,
        trouble="silent",
        since="2026-01-31T12:00:00Z",
    )
    async with connections.control(url) as redis:
        await note_trouble(redis, trouble)


async def test_each_question_is_answered_by_its_command_with_redis_and_without(
    own_server: RedisServer, tmp_path: Path
) -> None:
    assert len(questions()) == 8
    here = Installation(tmp_path, own_server.url)
    async with here.receiving() as receiver:
        with here.consuming(INDEX, INDEX_FAILS_FOR=OTHER.domain):
            given_up, failing = [await posted(receiver, OTHER, number) for number in (3, 4)]
            await _goes_silent(own_server.url)
            await eventually(lambda: here.listed("dead", "list"))

            async def is_told() -> bool:
                found = await here.listed("pending", "--within", "30")
                return any(one["failure"] for one in found)

            await eventually(is_told)
            answers = await asked(here, ID=failing, NAME=GROUP)
            own_server.pause()
            without = [await asked(here, ID=failing, NAME=GROUP)]
            own_server.kill()
            without.append(await asked(here, ID=failing, NAME=GROUP))

    well, where, stuck, lost, silent, dead, again, safe = map(objects, answers.values())
    remedies = [fault["remedy"] for fault in well[0]["faults"]]
    assert f"gateway portals check --portal {SANDBOX.member_id}" in remedies
    assert [group["state"] for group in where[0]["groups"]] == ["in hand"]
    assert [(one["group"], one["event_id"]) for one in stuck] == [(GROUP, failing)]
    assert stuck[0]["failure"]["error"] == "Transient: the portal's index is locked"
    assert (lost[0]["door"]["accepted"], lost[0]["missing"]) == (2, [])
    assert {one["domain"]: set(one["troubles"]) for one in silent} == {
        SANDBOX.domain: {"silent"},
        OTHER.domain: set(),
    }
    assert [one["event_id"] for one in dead] == [given_up]
    assert again[0]["entries"] >= 2
    assert {"redis rights", "groups", "portals"} <= {one["check"] for one in safe}

    for answer in without:
        for question, done in answer.items():
            assert done.returncode in (1, 2), question
            assert "does not answer" in done.stdout + done.stderr, question
            assert "Traceback" not in done.stderr, question
