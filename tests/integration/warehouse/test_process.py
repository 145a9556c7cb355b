"""The consumer as a process: killed, watched by others, compared with the stream, erased from."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis.asyncio import Redis

from consumers.cli import cli
from consumers.runtime.consumer_lookup import load_consumer
from consumers.warehouse import duckdb_database
from gateway.errors import OperatorError
from gateway.settings import Settings, WarehouseSettings
from tests.integration.runtime.running import comment_event, publish
from tests.integration.warehouse.conftest import events_on
from tests.integration.warehouse.loading import ask_duckdb
from tests.integration.warehouse.opening import environment, kept_open
from tests.support.consumer_process import logged, service
from tests.support.eventually import eventually
from tests.support.program import piped

KEY = "b24:comments:{0}"

# Opens the file as an analyst's tool does, asks, closes it, and does so without a pause.
READER = """
import os, sys, duckdb
os.nice(19)
answers = refused = 0
while not sys.stdin.closed:
    try:
        with duckdb.connect(sys.argv[1], read_only=True) as connection:
            rows, events = connection.execute(
                "SELECT COUNT(*), COUNT(DISTINCT event_id) FROM bitrix24.comment_events"
            ).fetchone()
            connection.execute("SELECT COUNT(*) FROM bitrix24.comments").fetchone()
        assert rows == events, (rows, events)
        answers += 1
    except (duckdb.IOException, duckdb.CatalogException):
        refused += 1
    print(answers, refused, flush=True)
"""


@contextmanager
def reading_all_the_time(database: Path, output: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (
        output.open("wb") as answers,
        piped([sys.executable, "-c", READER, str(database)], stdout=answers) as process,
    ):
        yield process


def answered_in(answers: Path) -> int:
    """How many of the reader's questions have been answered so far."""
    whole, _, _cut = answers.read_text().rpartition("\n")
    return int(whole.splitlines()[-1].split()[0]) if whole else 0


async def test_a_kill_loop_under_load_and_watched_leaves_each_event_once(
    redis: Redis, redis_url: str, tmp_path: Path, empty_warehouse: Path
) -> None:
    file = tmp_path / "warehouse.duckdb"
    shutil.copy(empty_warehouse, file)
    answers = tmp_path / "answers"
    published: list[str] = []

    async def work(count: int) -> None:
        events = [comment_event(number + 1) for number in range(count)]
        published.extend(event.id for event in events)
        await publish(redis, KEY, events)

    def loads() -> int:
        return logged(tmp_path, "warehouse").count("batch loaded")

    with reading_all_the_time(file, answers) as reader:
        for life in range(2):
            with service(redis_url, tmp_path, name="warehouse", **environment(tmp_path)) as process:
                await work(2000)
                seen = loads()
                await eventually(lambda: loads() > seen + life, timeout_s=60)  # noqa: B023
                process.kill()
        with service(redis_url, tmp_path, name="warehouse", **environment(tmp_path)) as process:

            async def all_acknowledged() -> bool:
                (group,) = await redis.xinfo_groups(KEY)
                return group["pending"] == 0 and int(group["entries-read"]) >= len(published)

            await eventually(all_acknowledged)
            # A reader gets in while the consumer runs: it holds the file for a load only.
            await eventually(lambda: answered_in(answers) > 3)
            assert await process.stop() == 0
        assert reader.poll() is None, "the reader saw a row twice"

    found = ask_duckdb(str(file))("SELECT event_id FROM bitrix24.comment_events")
    assert sorted(found) == sorted((event_id,) for event_id in published)
    assert not list((tmp_path / "work").glob("*/dlt")), "nothing is left in the working directory"


async def put_on_stream(redis: Redis, count: int) -> list[str]:
    """Events that the group is through with, and one more that waits for it."""
    events = [comment_event(number + 1) for number in range(count + 1)]
    await publish(redis, KEY, events[:-1])
    await redis.xgroup_create(KEY, "warehouse", "$")
    await publish(redis, KEY, events[-1:])
    return [event.id for event in events]


@pytest.fixture
async def on_stream(redis: Redis) -> list[str]:
    return await put_on_stream(redis, 5)


def test_what_is_missing_is_named_loaded_again_and_there(
    run: Any, on_stream: list[str], tmp_path: Path
) -> None:
    found = run("check", "--from", "1h", "--json")
    assert found.exit_code == 1, found.output
    report = json.loads(found.stdout)
    assert [missing["event_id"] for missing in report["missing"]] == on_stream[:5]
    assert (report["compared"], report["waiting"], report["erased"]) == (6, 1, 0)

    assert "missing " + on_stream[0] in run("check", "--from", "1h").stdout
    assert run("check", "--from", "2h", "--to", "1h").exit_code == 0, "nothing then"

    for _ in range(2):
        loaded = run("backfill", "--from", "1h")
        assert (loaded.exit_code, loaded.stdout) == (0, "6 events loaded\n"), loaded.output
    whole = run("check", "--from", "1h")
    assert whole.exit_code == 0, whole.output
    assert whole.stdout.startswith("6 events on the stream: 0 missing, 1 waiting")
    rows = ask_duckdb(f"{tmp_path}/warehouse.duckdb")("SELECT COUNT(*) FROM bitrix24.comments")
    assert rows == [(6,)]


async def test_an_erasure_is_recorded_and_no_replay_undoes_it(
    run: Any, on_stream: list[str], redis: Redis, tmp_path: Path, empty_warehouse: Path
) -> None:
    shutil.copy(empty_warehouse, tmp_path / "warehouse.duckdb")
    ask = ask_duckdb(f"{tmp_path}/warehouse.duckdb")

    async def told(*arguments: str) -> Result:
        return await asyncio.to_thread(run, *arguments)

    await told("backfill", "--from", "1h")

    erased = await told("erase", "--comment", "3", "--yes", "--reason", "request 17", "--json")
    assert erased.exit_code == 0, erased.output
    await told("backfill", "--from", "1h")

    assert ask("SELECT comment_id FROM bitrix24.comments ORDER BY 1") == [
        (1,),
        (2,),
        (4,),
        (5,),
        (6,),
    ]
    assert ask("SELECT member_id, comment_id, rows_erased FROM bitrix24.erasures") == [
        ("portal", 3, 1)
    ]
    (record,) = await events_on(redis)
    assert record.id == json.loads(erased.stdout)["event_id"]
    assert record.type == "gateway.data.erased"
    assert record.data == {
        "member_id": "portal",
        "comment_id": 3,
        "by": "warehouse",
        "erased_count": 1,
        "reason": "request 17",
    }
    check = json.loads((await told("check", "--from", "1h", "--json")).stdout)
    assert (check["missing"], check["erased"]) == ([], 1)

    assert (await told("erase", "--portal", "portal", "--yes")).exit_code == 0
    assert ask("SELECT COUNT(*) FROM bitrix24.comment_events") == [(0,)]


def test_without_a_record_nothing_is_erased(
    run: Any, on_stream: list[str], tmp_path: Path, empty_warehouse: Path
) -> None:
    shutil.copy(empty_warehouse, tmp_path / "warehouse.duckdb")
    assert run("backfill", "--from", "1h").stdout == "6 events loaded\n"
    result = CliRunner().invoke(
        cli,
        ["warehouse", "erase", "--portal", "portal", "--yes"],
        env=environment(tmp_path) | {"GATEWAY_REDIS_URL": "redis://127.0.0.1:1/0"},
    )

    assert isinstance(result.exception, OperatorError)
    assert "[redis] url" in str(result.exception)
    rows = ask_duckdb(f"{tmp_path}/warehouse.duckdb")("SELECT COUNT(*) FROM bitrix24.comments")
    assert rows == [(6,)]


def test_a_file_that_another_process_holds_is_away(
    run: Any,
    on_stream: list[str],
    tmp_path: Path,
    empty_warehouse: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(duckdb_database, "_LOCK_WAIT_S", 0.1)
    path = tmp_path / "warehouse.duckdb"
    shutil.copy(empty_warehouse, path)
    with kept_open(path):
        result = run("backfill", "--from", "1h")

    assert isinstance(result.exception, OperatorError)
    assert "lock" in str(result.exception)
    assert run("backfill", "--from", "1h").exit_code == 0


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mysql://root:hunter2@db/warehouse", "scheme 'mysql' is unknown"),
        ("postgres://gateway:hunter2@/warehouse", "wants postgres://"),
        ("duckdb://", "wants a file"),
        ("clickhouse://gateway:hunter2@db/warehouse", "warehouse-clickhouse"),
        ("env:NOT_THERE", "NOT_THERE is not set"),
    ],
)
def test_a_bad_destination_stops_the_start_with_one_line_and_no_password(
    url: str, why: str
) -> None:
    with pytest.raises(OperatorError, match=why) as stopped:
        load_consumer("warehouse", Settings(warehouse=WarehouseSettings(destination=url)))

    assert str(stopped.value).startswith("[warehouse] destination: ")
    assert len(str(stopped.value).splitlines()) == 1
    assert "hunter2" not in str(stopped.value)


def test_a_time_that_is_none_is_refused(run: Any) -> None:
    assert "neither a time" in run("check", "--from", "yesterday").output
    assert "give --portal" in run("erase", "--yes").output
