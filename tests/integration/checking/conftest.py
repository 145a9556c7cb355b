"""`consumers check` in a directory with a service."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from tests.support.starting import finished_blocking

__all__ = ["GOOD", "Check", "check"]

Check = Callable[..., subprocess.CompletedProcess[str]]

HEAD = """
import asyncio, sys, time
from collections.abc import Sequence
from contextlib import asynccontextmanager
from consumers import *

app = Consumer(group="search-index", stream="comments", max_attempts=2)
"""

GOOD = """
@app.on("bitrix24.crm.timeline.comment.*")
async def index(event: Event) -> None:
    if isinstance(event, CommentEvent) and event.data.comment:
        print(event.subject, event.data.comment.text_plain)

@app.on("bitrix24.*")
async def log(event: Event, entry: Entry) -> None:
    print(event.subject, entry.is_replay)
"""


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """`consumers check` in a directory with this module, until it has ended by itself."""

    def call(source: str, *options: str, yes: bool = True) -> subprocess.CompletedProcess[str]:
        (tmp_path / "search_index.py").write_text(dedent(HEAD) + dedent(source))
        command = (sys.executable, "-m", "consumers", "check", "search_index:app", *options)
        return finished_blocking(
            (*command, "--yes") if yes else command,
            directory=tmp_path,
            # Of a Redis that nobody could reach, nothing is asked.
            environment={**os.environ, "GATEWAY_REDIS_URL": "redis://127.0.0.1:1"},
        )

    return call
