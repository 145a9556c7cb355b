"""The mistakes that authors of consumers make: each stops the start with a line that says it.

None of them may acknowledge an event that nobody has handled.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from textwrap import dedent

import pytest
from redis.asyncio import Redis

from tests.integration.runtime.running import comment_event, publish
from tests.support.starting import finished_blocking

KEY = "b24:events:{0}"
SCRIPTS = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"][
    "scripts"
]

HEAD = """
from consumers import CommentEvent, Consumer, Entry

app = Consumer(group="search-index", stream="events")
"""


def run(
    directory: Path, source: str, redis_url: str, name: str = "search_index:app"
) -> subprocess.CompletedProcess[str]:
    """`consumers run` in a directory with this module, until it has ended by itself."""
    (directory / "search_index.py").write_text(dedent(HEAD) + dedent(source))
    return finished_blocking(
        (sys.executable, "-m", "consumers", "run", name),
        directory=directory,
        environment={**os.environ, "GATEWAY_REDIS_URL": redis_url},
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "the consumer search-index has no handler"),
        (
            """
            @app.on
            async def index(event: CommentEvent) -> None: ...
            """,
            'write @app.on("bitrix24.crm.timeline.comment.*"), with a pattern',
        ),
        (
            """
            @app.on("comment.updated")
            async def index(event: CommentEvent) -> None: ...
            """,
            "'comment.updated'; did you mean 'bitrix24.crm.timeline.comment.updated'?",
        ),
        (
            """
            @app.on("*")
            def index(event: CommentEvent) -> None: ...
            """,
            "index: write `async def`",
        ),
        (
            """
            @app.on("*")
            async def index(entry: Entry, event: CommentEvent) -> None: ...
            """,
            "index: @app.on gives the event, or the event and its Entry",
        ),
        (
            """
            app = Consumer(group="search-index", stream="coments")

            @app.on("*")
            async def index(event: CommentEvent) -> None: ...
            """,
            "there is no stream 'coments' (b24:coments:{0}); did you mean 'comments'?",
        ),
        ("\ndef index(:\n", "search_index.py:6: invalid syntax"),
    ],
)
async def test_a_mistake_stops_the_start_with_one_line(
    redis: Redis, redis_url: str, tmp_path: Path, source: str, said: str
) -> None:
    await publish(redis, KEY, [comment_event(1)])

    done = run(tmp_path, source, redis_url)

    assert done.returncode == 2, done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("consumers: ")]
    assert len(told) == 1
    assert said in told[0]
    assert "Traceback" not in done.stderr
    assert await redis.xinfo_groups(KEY) == []
    assert not await redis.exists("b24:coments:{0}")


async def test_what_a_module_raises_is_shown_from_its_own_line_on(
    redis_url: str, tmp_path: Path
) -> None:
    done = run(tmp_path, "\nlimit = {}['missing']\n", redis_url)

    assert done.returncode == 2
    assert "KeyError: 'missing'" in done.stderr
    assert "limit = {}['missing']" in done.stderr
    assert len(done.stderr.splitlines()) <= 6


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("search_index", "did you mean search_index:app?"),
        (
            "search_index:ap",
            "search_index:ap is not a consumers.Consumer; did you mean search_inde",
        ),
        ("serch_index:app", "No module named 'serch_index'"),
        ("warehose", "no consumer 'warehose'"),
    ],
)
async def test_a_name_that_is_none_is_answered_with_the_one_that_was_meant(
    redis_url: str, tmp_path: Path, name: str, said: str
) -> None:
    done = run(tmp_path, "", redis_url, name)

    assert done.returncode == 2
    assert said in done.stderr


def test_a_module_that_the_gateway_hides_is_to_be_renamed(tmp_path: Path) -> None:
    """By the console script: with `python -m`, the module in the directory is found first."""
    (tmp_path / "gateway.py").write_text("")
    script = Path(sys.executable).with_name("consumers")
    done = subprocess.run(
        [script, "run", "gateway:app"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 2
    assert "gateway.py has the name of a package of the gateway" in done.stderr


@pytest.mark.parametrize("name", ["consumers.py", "consumers/__init__.py", ""])
def test_what_hides_the_package_consumers_is_named(tmp_path: Path, name: str) -> None:
    """As the console script, with PYTHONPATH=. in a directory that has a module so named."""
    own = tmp_path / name
    if name:
        own.parent.mkdir(exist_ok=True)
        own.write_text("raise SystemExit('imported')")
    module, _, function = SCRIPTS["consumers"].partition(":")
    done = subprocess.run(
        [sys.executable, "-c", f"from {module} import {function}; {function}()", "--help"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == (2 if name else 0)
    assert done.stderr.count("\n") == bool(name)
    assert not name or f"{own} hides the package 'consumers'" in done.stderr


async def test_a_type_that_this_version_does_not_know_is_only_a_warning(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    await publish(redis, KEY, [comment_event(1)])
    done = run(
        tmp_path,
        """
        import os, signal

        @app.on("bitrix24.crm.praise.*")
        async def index(event: CommentEvent) -> None: ...

        @app.on("*")
        async def last(event: CommentEvent) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
        """,
        redis_url,
    )

    assert done.returncode == 0
    assert "this version knows of no event of this type" in done.stderr
    assert "bitrix24.crm.praise.*" in done.stderr
