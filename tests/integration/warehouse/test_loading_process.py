"""The process that loads: what it spares the consumer, and what becomes of a load when it dies."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from redis.asyncio import Redis

from consumers import Entry, Transient
from consumers.warehouse.consumer import Loader
from consumers.warehouse.destination import destination
from consumers.warehouse.destination_errors import DestinationAway
from consumers.warehouse.loading_messages import Load, Opening, Prepare, RawEntry
from consumers.warehouse.loading_process import LoadFailed, LoadingProcess
from gateway.background import owned
from gateway.contract import encode_event
from gateway.settings import Settings, WarehouseSettings
from tests.integration.runtime.running import comment_event, publish
from tests.integration.warehouse.loading import StreamEntry, ask_duckdb, entry
from tests.integration.warehouse.opening import environment, kept_open
from tests.integration.warehouse.test_process import KEY
from tests.support.consumer_process import logged, service
from tests.support.eventually import eventually
from tests.support.program import piped

IDLE_MB = 70
SPENT_S = 0.05
"""Of CPU time: it has begun, for a load that it has been given."""
ASKING_S = 0.02
"""Of CPU time: it asks for the file."""
ROWS = "SELECT COUNT(*), COUNT(DISTINCT event_id) FROM bitrix24.comment_events"
PARENT = """
import asyncio, sys
from consumers.warehouse.loading_messages import Prepare
from tests.integration.warehouse.test_loading_process import process_for
from pathlib import Path

async def main():
    process = process_for(Path(sys.argv[1]), idle_s=600)
    await process.call(Prepare(), within_s=60)
    print(process.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def settings_for(directory: Path) -> Settings:
    return Settings(
        warehouse=WarehouseSettings(
            destination=f"duckdb:///{directory}/warehouse.duckdb",
            work_dir=str(directory / "work"),
        )
    )


def process_for(directory: Path, *, idle_s: float) -> LoadingProcess:
    settings = settings_for(directory)
    return LoadingProcess(Opening(warehouse=settings.warehouse, log=settings.log), idle_s=idle_s)


def load_of(*entries: StreamEntry) -> Load:
    return Load([RawEntry(e.stream, e.partition, e.id, encode_event(e.event)) for e in entries])


@pytest.fixture
def prepared(tmp_path: Path, empty_warehouse: Path) -> Path:
    """A directory in which the tables have been made."""
    shutil.copy(empty_warehouse, tmp_path / "warehouse.duckdb")
    return tmp_path


@pytest.fixture
async def process(prepared: Path) -> AsyncIterator[LoadingProcess]:
    """With the tables made, and running."""
    running = process_for(prepared, idle_s=600)
    await running.call(Prepare(), within_s=60)
    yield running
    await running.close()


def rows(directory: Path) -> tuple[int, int]:
    ((count, distinct),) = ask_duckdb(f"{directory}/warehouse.duckdb")(ROWS)
    return count, distinct


def is_gone(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    return True


def test_the_consumer_imports_nothing_of_what_loads(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from consumers.warehouse import build\n"
        "from gateway.settings import Settings\n"
        "build(Settings())\n"
        "print({'dlt', 'pyarrow', 'duckdb', 'psycopg2', 'sqlglot'} & sys.modules.keys() or 'none')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "none\n"


async def test_a_load_imports_no_dlt_and_a_making_of_tables_keeps_none(
    process: LoadingProcess, tmp_path: Path
) -> None:
    maker = process_for(tmp_path / "other", idle_s=600)
    await maker.call(Prepare(), within_s=60)
    assert maker.pid is None, "what has made tables ends, with what that takes"
    await maker.close()

    await process.call(load_of(entry("added", 1)), within_s=60)
    assert process.pid is not None
    libraries = " ".join(one.path for one in psutil.Process(process.pid).memory_maps())
    assert "_duckdb" in libraries
    assert "orjson" not in libraries, "which only dlt has"


async def test_what_has_nothing_to_load_ends_and_the_next_load_begins_another(
    prepared: Path,
) -> None:
    process = process_for(prepared, idle_s=0.2)
    await process.call(Prepare(), within_s=60)
    first = process.pid
    assert first is not None
    await eventually(lambda: is_gone(first))
    assert process.pid is None

    assert await process.call(load_of(entry("added", 1)), within_s=60) == 1
    assert rows(prepared) == (1, 1)
    await process.close()


async def test_death_in_a_load_is_that_load_failed_and_the_next_one_is_whole(
    process: LoadingProcess, tmp_path: Path
) -> None:
    came = [entry("added", number) for number in range(10)]
    pid = process.pid
    assert pid is not None
    with kept_open(tmp_path / "warehouse.duckdb"):
        idle_s = spent_s(pid)
        loading = owned(process.call(load_of(*came), within_s=60))
        await eventually(lambda: spent_s(pid) > idle_s + ASKING_S)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(DestinationAway, match="ended with signal 9; another one tries again"):
            await loading

    assert await process.call(load_of(*came), within_s=60) == 10
    assert rows(tmp_path) == (10, 10)
    assert process.pid not in {None, pid}


def spent_s(pid: int) -> float:
    return float(sum(psutil.Process(pid).cpu_times()[:2]))


async def test_entries_with_which_it_dies_twice_in_a_row_are_to_blame(prepared: Path) -> None:
    settings = settings_for(prepared)
    loader = Loader(settings, destination(settings.warehouse.destination))
    first, second = ([delivered(entry("added", number))] for number in (1, 2))

    async def dying(entries: list[Entry]) -> None:
        asking = {pid: spent_s(pid) + ASKING_S for pid in loading_children()}
        loading = owned(loader.load(entries))
        await eventually(
            lambda: any(spent_s(one) > asking.get(one, SPENT_S) for one in loading_children())
        )
        for pid in loading_children():
            os.kill(pid, signal.SIGKILL)
        await loading

    async with loader.lifespan():
        with kept_open(prepared / "warehouse.duckdb"):
            with pytest.raises(Transient, match="ended with signal 9"):
                await dying(first)
            with pytest.raises(LoadFailed, match="twice in a row"):
                await dying(first)
            with pytest.raises(Transient, match="ended with signal 9"):
                await dying(second)
        await loader.load(second)
        await loader.load(first)
    assert rows(prepared) == (2, 2)


def loading_children() -> list[int]:
    """The processes of this one that load, and have not ended."""
    pids = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # a zombie is none either
            if "consumers.warehouse.loading_child" in child.cmdline():
                pids.append(child.pid)
    return pids


def delivered(one: StreamEntry) -> Entry:
    return Entry(
        stream="events",
        partition=0,
        epoch=1,
        id=one.id,
        event=one.event,
        raw=encode_event(one.event),
    )


async def test_a_machine_that_begins_no_process_is_waited_out(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading = process_for(prepared, idle_s=600)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(prepared / "nothing"))
        with pytest.raises(DestinationAway, match="no process to load with can be begun"):
            await loading.call(Prepare(), within_s=60)
    await loading.call(Prepare(), within_s=60)
    await loading.close()


async def test_death_between_loads_fails_none(process: LoadingProcess, tmp_path: Path) -> None:
    pid = process.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: process.pid is None)
    assert await process.call(load_of(entry("added", 1)), within_s=60) == 1


async def test_what_does_not_answer_is_killed(process: LoadingProcess, tmp_path: Path) -> None:
    pid = process.pid
    assert pid is not None
    with (
        kept_open(tmp_path / "warehouse.duckdb"),
        pytest.raises(DestinationAway, match=r"no answer within 0\.3 s"),
    ):
        await process.call(load_of(entry("added", 1)), within_s=0.3)
    await eventually(lambda: is_gone(pid))
    assert await process.call(load_of(entry("added", 1)), within_s=60) == 1


async def test_signals_that_a_terminal_and_systemd_send_to_all_end_only_the_consumer(
    process: LoadingProcess,
) -> None:
    pid = process.pid
    assert pid is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(pid, number)
    assert await process.call(load_of(entry("added", 1)), within_s=60) == 1
    assert process.pid == pid
    await process.close()
    assert is_gone(pid)


async def test_it_ends_with_a_consumer_that_is_killed(prepared: Path) -> None:
    with piped([sys.executable, "-c", PARENT, str(prepared)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
        await eventually(lambda: is_gone(pid))


async def test_an_error_that_nobody_knows_is_told_and_ends_nothing(
    process: LoadingProcess,
) -> None:
    pid = process.pid
    with pytest.raises(LoadFailed, match="InvalidEvent"):
        await process.call(Load([RawEntry("events", 0, "1-1", b"no event")]), within_s=60)
    assert process.pid == pid


async def test_a_consumer_whose_loading_process_is_killed_goes_on_and_is_small(
    redis: Redis, redis_url: str, prepared: Path
) -> None:
    events = [comment_event(number + 1) for number in range(40)]
    killed = set()

    async def all_acknowledged() -> bool:
        groups = await redis.xinfo_groups(KEY)
        return bool(groups and groups[0]["pending"] == 0 and groups[0]["lag"] == 0)

    with service(redis_url, prepared, name="warehouse", **environment(prepared)) as consumer:
        await eventually(lambda: "consumer started" in logged(prepared, "warehouse"))
        for start in range(0, 40, 10):
            await publish(redis, KEY, events[start : start + 10])
            await eventually(all_acknowledged)
            for child in psutil.Process(consumer.pid).children():
                killed.add(child.pid)
                child.kill()
        own = psutil.Process(consumer.pid).memory_full_info()
        assert own.pss / 2**20 < IDLE_MB
        assert await consumer.stop() == 0

    assert len(killed) >= 3
    assert rows(prepared) == (40, 40)
