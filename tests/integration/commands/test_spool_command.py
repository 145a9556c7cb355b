"""`gateway spool`: what waits, and the way back for a file that was set aside."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from gateway.cli import cli
from gateway.contract import encode_event
from gateway.publishing.spool.batch_file import SpooledBatch, SpoolFile
from gateway.publishing.spool.store import Spool
from tests.integration.runtime.running import comment_event

Run = Callable[..., Result]


@pytest.fixture
def run(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("GATEWAY_REDIS_URL", redis_url)
    monkeypatch.setenv("GATEWAY_SPOOL_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(cli, ["spool", *words])


def events_of(first: int, count: int) -> list[bytes]:
    return [encode_event(comment_event(n, event_id=f"id-{n}")) for n in range(first, first + count)]


def set_aside(directory: Path, *batches: list[bytes]) -> Path:
    """A spool file with these batches, and then a new, empty spool in its place."""
    file = SpoolFile(directory, max_bytes=1 << 20)
    file.append([SpooledBatch(0, "p", n, events) for n, events in enumerate(batches, start=1)])
    file.close()
    aside = directory / "spool.sqlite3.corrupt-20260101T000000"
    (directory / "spool.sqlite3").rename(aside)
    return aside


def waiting(directory: Path) -> list[bytes]:
    spool = SpoolFile(directory, max_bytes=1 << 20)
    try:
        return [event for batch in spool.all_of(0) for event in batch.events]
    finally:
        spool.close()


async def test_recovery_puts_back_what_is_on_no_stream_and_in_no_spool(
    run: Run, redis: Redis, tmp_path: Path
) -> None:
    aside = set_aside(tmp_path, events_of(0, 4), events_of(4, 4))
    for event in events_of(2, 3):
        await redis.xadd("b24:events:{0}", {b"event": event})

    first = await in_thread(run, "recover", str(aside))
    again = await in_thread(run, "recover", str(aside))

    assert "8 events found: 5 put back" in first.output
    assert "8 events found: 0 put back" in again.output
    assert waiting(tmp_path) == [*events_of(0, 2), *events_of(5, 3)]
    assert aside.exists()


async def test_a_damaged_batch_does_not_hide_the_others(
    run: Run, redis: Redis, tmp_path: Path
) -> None:
    aside = set_aside(tmp_path, *(events_of(n * 20, 20) for n in range(30)))
    content = bytearray(aside.read_bytes())
    for page in (20, 21, 45):
        content[page * 4096 : (page + 1) * 4096] = b"\xff" * 4096
    aside.write_bytes(content)

    result = await in_thread(run, "recover", str(aside))

    assert result.exit_code == 0
    assert "batches are damaged" in result.output
    found = waiting(tmp_path)
    assert 400 <= len(found) < 600
    assert set(found) <= set(events_of(0, 600))


async def test_a_file_that_cannot_be_opened_is_an_error_that_says_what_to_do(
    run: Run, redis: Redis, tmp_path: Path
) -> None:
    aside = set_aside(tmp_path, events_of(0, 1))
    aside.write_bytes(b"\xff" * 8192)

    result = await in_thread(run, "recover", str(aside))

    assert "https://sqlite.org/recovery.html" in str(result.exception)


async def test_a_trimmed_stream_stops_the_recovery_unless_it_is_told_otherwise(
    run: Run, redis: Redis, tmp_path: Path
) -> None:
    aside = set_aside(tmp_path, events_of(0, 3))
    for event in events_of(0, 2):
        await redis.xadd("b24:events:{0}", {b"event": event})
    await redis.xtrim("b24:events:{0}", maxlen=1, approximate=False)

    refused = await in_thread(run, "recover", str(aside))
    told = await in_thread(run, "recover", str(aside), "--even-if-trimmed")

    assert "has been trimmed" in str(refused.exception)
    assert "3 events found: 2 put back" in told.output


async def test_status_tells_what_waits_and_what_was_set_aside(
    run: Run, redis: Redis, tmp_path: Path
) -> None:
    aside = set_aside(tmp_path, events_of(0, 1))
    spool = SpoolFile(tmp_path, max_bytes=1 << 20)
    spool.append([SpooledBatch(0, "p", 1, events_of(0, 3))])
    spool.close()

    result = await in_thread(run, "status")

    assert "3 events wait" in result.output
    assert f"set aside: {aside}" in result.output
    assert '"events":3' in (await in_thread(run, "status", "--json")).output


async def test_what_was_set_aside_is_a_metric_until_it_is_recovered(
    redis: Redis, tmp_path: Path
) -> None:
    aside = set_aside(tmp_path, events_of(0, 1))
    aside.with_name(f"{aside.name}-wal").touch()
    spool = await Spool.open(tmp_path, max_bytes=1 << 20)
    try:
        await spool.measure()
        counts = [REGISTRY.get_sample_value("b24gw_spool_set_aside_files")]
        aside.unlink()
        await spool.measure()
        counts.append(REGISTRY.get_sample_value("b24gw_spool_set_aside_files"))
    finally:
        await spool.close()

    assert counts == [1, 0]


async def in_thread(run: Run, *words: str) -> Any:
    """The command has an event loop of its own."""
    return await asyncio.to_thread(run, *words)
