"""What a destination cannot hold is said at the start, and nothing waits for ever."""

import asyncio
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from consumers import Entry, Transient
from consumers.warehouse.consumer import Loader
from consumers.warehouse.destination import destination
from consumers.warehouse.destination_errors import DestinationAway, Unusable
from consumers.warehouse.row_loading import Warehouse
from consumers.warehouse.warehouse_thread import CallThread
from gateway.contract import encode_event
from gateway.errors import OperatorError
from gateway.settings import Settings, WarehouseSettings
from tests.integration.warehouse.conftest import database_of
from tests.integration.warehouse.loading import Target, ask_duckdb, entry, load
from tests.support.postgres import PostgresServer
from tests.support.small_disk import fill, small_disk


def execute(server: PostgresServer, database: str, *statements: str) -> None:
    with closing(server.connect(database)) as connection:
        connection.autocommit = True
        for statement in statements:
            connection.cursor().execute(statement)


async def started(url: str, directory: Path) -> None:
    """As `consumers run warehouse` begins."""
    settings = Settings(
        warehouse=WarehouseSettings(destination=url, work_dir=str(directory / "work"))
    )
    async with Loader(settings, destination(url)).lifespan():
        pass


@pytest.mark.parametrize(
    ("statements", "why"),
    [
        (
            [
                "CREATE DATABASE {name} ENCODING 'WIN1251' LOCALE 'C' TEMPLATE template0",
            ],
            "encoding WIN1251, which cannot hold every text",
        ),
        (
            [
                "CREATE DATABASE {name}",
                "ALTER DATABASE {name} SET default_transaction_read_only = on",
            ],
            "is read-only for",
        ),
        (["CREATE DATABASE {name}", "CREATE USER {name}"], "GRANT CREATE ON DATABASE {name}"),
        (["SELECT 1"], 'database "{name}" does not exist: make the database'),
    ],
)
async def test_a_server_that_could_not_take_rows_stops_the_start_with_one_line(
    postgres: PostgresServer, tmp_path: Path, statements: list[str], why: str
) -> None:
    name = f"refusing_{abs(hash(why)) % 100_000}"
    execute(postgres, "postgres", *(statement.format(name=name) for statement in statements))
    user = name if "CREATE USER" in statements[-1] else "postgres"
    url = postgres.url(name).replace("postgres:not-asked-for", f"{user}:not-asked-for")

    with pytest.raises(OperatorError) as stopped:
        await started(url, tmp_path)

    assert why.format(name=name) in str(stopped.value)
    assert len(str(stopped.value).splitlines()) == 1
    assert "not-asked-for" not in str(stopped.value)


async def test_a_file_that_is_none_of_duckdbs_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing of a database\n" * 1000)

    with pytest.raises(OperatorError, match="name another file"):
        await started(f"duckdb:///{tmp_path}/notes.txt", tmp_path)


async def test_what_lasts_is_told_once_and_what_is_back_too(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    url = f"duckdb:///{path}"
    settings = Settings(
        warehouse=WarehouseSettings(destination=url, work_dir=str(tmp_path / "work"))
    )
    loader = Loader(settings, destination(url))
    event = entry("added", 1)
    entries = [
        Entry(
            stream="events",
            partition=0,
            epoch=1,
            id=event.id,
            event=event.event,
            raw=encode_event(event.event),
        )
    ]
    async with loader.lifespan():
        whole = path.read_bytes()
        path.write_text("nothing of a database\n" * 1000)
        with capture_logs() as logs:
            for _ in range(2):
                with pytest.raises(Transient, match="name another file"):
                    await loader.load(entries)
            path.write_bytes(whole)
            await loader.load(entries)

    told = [one["event"] for one in logs if one["event"].startswith("destination")]
    assert told == ["destination refuses", "destination is back"]


@pytest.mark.parametrize("kind", ["postgres"], indirect=True)
def test_a_lock_that_somebody_holds_is_told_and_not_waited_for_for_ever(
    ready: Target, postgres: PostgresServer, tmp_path: Path
) -> None:
    name = ready.destination.label.rpartition("/")[2]
    hasty = destination(f"{postgres.url(name)}?options=-c%20lock_timeout%3D200ms")
    with database_of(Target(hasty, ready.ask), tmp_path / "work") as database:
        warehouse = Warehouse(database)
        load(warehouse, entry("added", 1))
        with closing(postgres.connect(name)) as holder:
            holder.cursor().execute("LOCK TABLE bitrix24.comment_events IN EXCLUSIVE MODE")
            with pytest.raises(DestinationAway, match="lock timeout"):
                load(warehouse, entry("added", 2))
        load(warehouse, entry("added", 2))

    assert ready.ask("SELECT COUNT(*) FROM bitrix24.comment_events") == [(2,)]


@pytest.mark.parametrize("kind", ["postgres"], indirect=True)
def test_a_right_that_is_taken_away_is_named_as_what_lasts(
    fresh: Target, postgres: PostgresServer, tmp_path: Path
) -> None:
    name = fresh.destination.label.rpartition("/")[2]
    execute(postgres, name, f"CREATE USER {name}", f"GRANT CREATE ON DATABASE {name} TO {name}")
    url = postgres.url(name).replace("postgres:not", f"{name}:not")
    with database_of(Target(destination(url), fresh.ask), tmp_path / "work") as database:
        warehouse = Warehouse(database)
        load(warehouse, entry("added", 1))
        execute(postgres, name, "ALTER TABLE bitrix24.comment_events OWNER TO postgres")
        with pytest.raises(Unusable, match="permission denied for table comment_events"):
            load(warehouse, entry("added", 2))


async def test_a_call_that_hangs_is_away_and_keeps_no_process_from_ending() -> None:
    code = (
        "import asyncio, threading\n"
        "from consumers.warehouse.warehouse_thread import CallThread\n"
        "from consumers.warehouse.destination_errors import DestinationAway\n"
        "async def main():\n"
        "    thread = CallThread('hanging')\n"
        "    for _ in range(2):\n"
        "        try:\n"
        "            await thread.call(threading.Event().wait, within_s=0.1)\n"
        "        except DestinationAway as error:\n"
        "            print(error)\n"
        "    thread.end()\n"
        "asyncio.run(main())\n"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code], capture_output=True, timeout=60, check=True
    )
    assert done.stdout.decode() == "no answer within 0.1 s\n" * 2


async def test_calls_are_made_one_after_the_other_and_their_errors_told() -> None:
    thread = CallThread("calls")
    made: list[int] = []
    await asyncio.gather(*(thread.call(made.append, number) for number in range(5)))
    assert made == list(range(5))
    with pytest.raises(ZeroDivisionError):
        await thread.call(lambda: 1 / 0)
    thread.end()


def test_a_disk_that_was_full_when_the_file_was_to_be_made_is_no_obstacle_later(
    tmp_path: Path,
) -> None:
    """DuckDB leaves a file without a byte behind, which it then refuses to open."""
    with small_disk(tmp_path / "small", size="32m") as disk:
        path = disk / "warehouse.duckdb"
        target = Target(destination(f"duckdb:///{path}"), ask_duckdb(str(path)))
        fill(disk / "filler")
        with database_of(target, tmp_path / "work") as database:
            warehouse = Warehouse(database)
            for _ in range(2):
                with pytest.raises(DestinationAway) as caught:
                    load(warehouse, entry("added"))
                assert not isinstance(caught.value, Unusable)
            (disk / "filler").unlink()
            load(warehouse, entry("added"))
        assert target.ask("SELECT count(*) FROM bitrix24.comments") == [(1,)]
