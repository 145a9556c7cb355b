"""The exercise of CONTRIBUTING.md, done as it stands there: a new type of event.

It is done in a copy of the source, of which a receiver runs and the table's own tests.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from redis.asyncio import Redis

from consumers import Consumer, EntityEvent
from consumers.notifier.notices import Notice
from consumers.notifier.rendering import Templates
from gateway.contract import EventSubject, Streams, encode_event
from gateway.local.redis_server import free_port
from tests.integration.runtime.running import running
from tests.support.connections import is_listening
from tests.support.eventually import eventually
from tests.support.program import Program

ROOT: Final = Path(__file__).parents[2]
TYPE: Final = "bitrix24.task.praised"
MEMBER_ID: Final = "010b6886ebc205e43ae65000ee00addb"
PARTITIONS: Final = 8
STREAMS: Final = Streams(partitions=PARTITIONS)
READERS: Final = """
import json
from consumers.notifier.samples import samples
from gateway.bitrix24.bindings import expected
from gateway.contract import KNOWN_TYPES
from gateway.event_subscription import EventSubscription
from gateway.settings import EventSettings
from gateway.contract.schema import files
rows = EventSubscription([EventSettings(name="onTaskPraise")])
print(json.dumps({
    "bound": [binding.event for binding in expected("https://gateway.example/", rows)],
    "known": KNOWN_TYPES,
    "samples": [name for name, _ in samples(["bitrix24.task.praised"])],
    "schema": files()["events.schema.json"],
}))
"""


class Copy:
    """The source with what the exercise adds, and processes of it."""

    def __init__(self, directory: Path, redis_url: str) -> None:
        self.directory = directory
        self.port = free_port()
        portal = {
            "member_id": MEMBER_ID,
            "domain": "acme.bitrix24.com",
            "application_tokens": ["fake0application0token"],
        }
        self._environment = os.environ | {
            "PYTHONPATH": str(directory),
            "GATEWAY_REDIS_URL": redis_url,
            "GATEWAY_REDIS_PARTITIONS": str(PARTITIONS),
            "GATEWAY_HTTP_PORT": str(self.port),
            "GATEWAY_ADMIN_PORT": str(free_port()),
            "GATEWAY_PORTALS": json.dumps([portal]),
            "GATEWAY_EVENTS": json.dumps([{"name": "onTaskPraise"}]),
        }
        without = shutil.ignore_patterns("__pycache__")
        for package in ("gateway", "consumers"):
            shutil.copytree(ROOT / package, directory / package, ignore=without)
        table_test = "tests/unit/test_event_types.py"
        (directory / table_test).parent.mkdir(parents=True)
        shutil.copy(ROOT / table_test, directory / table_test)

    def do(self, exercise: str) -> None:
        """Append what the exercise says to the tables that it names."""
        steps = re.findall(r"(?s)end of `(\w+)` in `([\w/.]+)`.*?```python\n(.*?)```", exercise)
        assert len(steps) == 1
        for table, path, block in steps:
            file = self.directory / path
            start, opening, rest = re.split(rf"(?m)(^{table}: .* = [({{]$)", file.read_text())
            rows, closing, end = re.split(r"(?m)(^[)}]$)", rest, maxsplit=1)
            row = textwrap.indent(textwrap.dedent(block).strip(), "    ")
            file.write_text(f"{start}{opening}{rows}{row},\n{closing}{end}")
        ((path, tree),) = re.findall(r"(?s)end of `([\w/]+\.json)`.*?```json\n(.*?)```", exercise)
        trees = self.directory / path
        whole = json.loads(trees.read_text()) | json.loads(f"{{{tree}}}")
        trees.write_text(json.dumps(whole))

    def run(self, *arguments: str) -> str:
        """What a process of it prints; it has to end well."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.directory,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Its receiver."""
        with Program(
            (sys.executable, "-m", "gateway", "serve"),
            log_file=self.directory / "serve.log",
            environment=self._environment,
            directory=self.directory,
        ) as receiver:
            receiver.launch()
            yield
            receiver.stop_blocking()

    async def is_listening(self) -> bool:
        return await is_listening(self.port)


@pytest.fixture
def copy(tmp_path: Path, redis_url: str) -> Copy:
    copy = Copy(tmp_path / "copy", redis_url)
    _, _, exercise = (ROOT / "CONTRIBUTING.md").read_text().partition("## An exercise:")
    copy.do(exercise)
    return copy


async def test_its_events_are_taken_from_the_portal_to_the_consumers(
    copy: Copy, redis: Redis, redis_url: str
) -> None:
    with copy.serving():
        await eventually(copy.is_listening, timeout_s=30)
        trigger = ("-m", "gateway", "trigger", "task.praised", "--comment-id", "77")
        assert "200 ok" in await asyncio.to_thread(copy.run, *trigger)

    seen: list[EntityEvent] = []
    tasks = Consumer(group="tasks", stream="events")

    @tasks.on(TYPE)
    async def take(event: EntityEvent) -> None:
        seen.append(event)

    async with running(tasks, redis_url, partitions=PARTITIONS):
        await eventually(lambda: bool(seen))

    (event,) = seen
    assert (event.type, event.subject) == (TYPE, "task/77")
    assert event.data.member_id == MEMBER_ID
    assert event.data.fields == {"FIELDS_BEFORE": "undefined", "FIELDS_AFTER": {"ID": "77"}}
    partition = STREAMS.partition_of(MEMBER_ID, EventSubject("task", 77))
    assert await redis.xlen(STREAMS.key("events", partition)) == 1
    assert _told(event, "en") == "Task 77 praised (acme.bitrix24.com)"
    assert _told(event, "ru") == "Задача 77: praised (acme.bitrix24.com)"


def test_it_is_bound_tried_and_described(copy: Copy) -> None:
    readers = json.loads(copy.run("-c", READERS))

    assert "ONTASKPRAISE" in readers["bound"]
    assert TYPE in readers["known"]
    assert readers["samples"] == ["task.praised"]
    assert TYPE in readers["schema"]


def test_the_tests_of_the_table_hold_for_it(copy: Copy) -> None:
    # cloudcoil, a tool of other tests, has a plugin that needs what it does not install
    without = ("-p", "no:cacheprovider", "-p", "no:cloudcoil")
    command = ("-m", "pytest", "-q", *without, "tests/unit/test_event_types.py", "-k", "praised")

    assert " passed" in copy.run(*command)


def _told(event: EntityEvent, language: str) -> str:
    """The title of a notification by the default template."""
    templates = Templates(
        {},
        language=language,  # type: ignore[arg-type]  # one of two
        dialect="text",
        title_dialect="text",
        zone=ZoneInfo("Europe/Berlin"),
        name="[[notifier.routes]] sales",
    )
    notice = Notice(
        event_id=event.id,
        raw=encode_event(event),
        first="changed",
        last="changed",
        since_ms=0,
    )
    return templates.message([notice]).title
