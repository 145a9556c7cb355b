"""The states that are kept are those that follow from the events, whatever happens to these."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from structlog.testing import capture_logs

from consumers.warehouse.comments_view import select
from consumers.warehouse.database import Database
from consumers.warehouse.kept_states import KeptStates
from consumers.warehouse.loading_messages import Load, Opening, RawEntry
from consumers.warehouse.loading_process import LoadingProcess
from consumers.warehouse.row_loading import Warehouse
from consumers.warehouse.straight_database import StraightDatabase
from consumers.warehouse.table_schema import VERSION
from gateway.contract import EventSubject, encode_event
from gateway.settings import Settings, WarehouseSettings
from tests.integration.warehouse.conftest import database_of
from tests.integration.warehouse.loading import PORTAL, START, StreamEntry, Target, entry, fetched
from tests.integration.warehouse.loading import load as load_into
from tests.support.eventually import eventually

OTHER = "020b6886ebc205e43ae65000ee00addb"
FOLLOWING = select("bitrix24.comment_events", dialect="postgres")
"""As destinations have it that keep no states; DuckDB understands it as well."""
STALE = "SELECT COUNT(*) FROM bitrix24.stale_comments"


def refresh(database: Database) -> None:
    """Make all stale states anew."""
    assert isinstance(database, StraightDatabase)
    states = KeptStates(database)
    while states.refresh(least=1):
        pass


def assert_right(target: Target) -> None:
    """The view shows what follows from the events, and nothing else."""
    # Files are JSON, of which PostgreSQL can tell no two apart; each has the same here.
    columns = "member_id, comment_id, domain, is_deleted, deleted_at, deleted_by, first_event_at, "
    columns += "last_event_at, last_event_id, last_action, events, text, author_id, fetched_at"
    shown = target.ask(f"SELECT {columns} FROM bitrix24.comments ORDER BY 1, 2")
    assert shown == target.ask(f"SELECT {columns} FROM ({FOLLOWING}) AS made ORDER BY 1, 2")


def some_entry(chance: random.Random) -> StreamEntry:
    at_s = chance.randrange(100_000)
    action: Any = chance.choice(["added", "updated", "updated", "deleted"])
    comment = None
    if chance.random() < 0.7:
        state: Any = chance.choice(["present", "present", "deleted"])
        comment = fetched(f"text {at_s}", at_s=at_s + chance.choice([1, 50, 4000]), state=state)
    return entry(
        action,
        chance.randrange(1, 8),
        at_s=at_s,
        member_id=chance.choice([PORTAL, OTHER]),
        user_id=chance.choice([None, 7, 8]),
        comment=comment,
    )


def test_whatever_comes_in_whatever_order_the_view_shows_what_follows_from_the_events(
    warehouse: Warehouse, target: Target, shared: tuple[Target, Database]
) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    known: list[StreamEntry] = []
    for _ in range(12):
        new = [some_entry(chance) for _ in range(chance.randrange(1, 6))]
        again = chance.sample(known, min(len(known), chance.randrange(3)))
        known += new
        load_into(warehouse, *chance.sample(new + again, len(new + again)))
        if chance.random() < 0.4:
            refresh(shared[1])
        if chance.random() < 0.1:
            about = chance.choice([None, EventSubject.of_comment(chance.randrange(1, 8))])
            warehouse.erase(OTHER, about, START + timedelta(seconds=chance.randrange(100_000)))
        assert_right(target)
    refresh(shared[1])
    assert target.ask(STALE) == [(0,)]
    assert_right(target)


def test_what_is_erased_is_gone_from_the_kept_states_at_once(
    warehouse: Warehouse, target: Target, shared: tuple[Target, Database]
) -> None:
    load_into(
        warehouse,
        entry("updated", 1, comment=fetched("erase me", at_s=1)),
        entry("updated", 2, comment=fetched("keep me", at_s=1)),
        entry("updated", 3, at_s=1000, comment=fetched("of the same portal, later", at_s=1001)),
    )
    refresh(shared[1])
    warehouse.erase(PORTAL, EventSubject.of_comment(1), START + timedelta(days=1))
    assert target.ask("SELECT text FROM bitrix24.comment_states ORDER BY 1") == [
        ("keep me",),
        ("of the same portal, later",),
    ]
    warehouse.erase(PORTAL, None, START + timedelta(seconds=500))
    assert target.ask("SELECT text FROM bitrix24.comment_states") == []
    assert target.ask("SELECT text FROM bitrix24.comments") == [("of the same portal, later",)]


def test_a_warehouse_of_the_release_before_gets_its_states(
    ready: Target, tmp_path: Path, change: Callable[[str], None]
) -> None:
    with database_of(ready, tmp_path / "work") as database:
        load_into(Warehouse(database), *(entry("added", number) for number in range(1, 40)))
    change("DROP VIEW bitrix24.comments")
    change(f"CREATE VIEW bitrix24.comments AS {FOLLOWING}")
    change("DROP TABLE bitrix24.comment_states")
    change("DROP TABLE bitrix24.stale_comments")
    change("UPDATE bitrix24.schema_versions SET version = 3")

    with database_of(ready, tmp_path / "work") as database:
        Warehouse(database).prepare()
        assert ready.ask(STALE) == [(39,)]
        assert_right(ready)
        refresh(database)
        assert ready.ask("SELECT COUNT(*) FROM bitrix24.comment_states") == [(39,)]
        assert_right(ready)
    assert ready.ask("SELECT MAX(version) FROM bitrix24.schema_versions") == [(VERSION,)]


def test_states_that_are_not_those_of_the_events_are_all_made_anew(
    ready: Target, tmp_path: Path, change: Callable[[str], None]
) -> None:
    """A release that knows of none has loaded beside this one, or rows were deleted by hand."""
    with database_of(ready, tmp_path / "work") as database:
        load_into(Warehouse(database), entry("added", 1), entry("added", 2), entry("updated", 2))
        refresh(database)
    change("DELETE FROM bitrix24.comment_events WHERE action = 'added'")

    with database_of(ready, tmp_path / "work") as database, capture_logs() as logs:
        load_into(Warehouse(database), entry("added", 3))
        refresh(database)
    assert [one["event"] for one in logs] == ["states of comments are made anew"]
    assert_right(ready)


@pytest.mark.parametrize("kind", ["postgres"], indirect=True)
def test_processes_that_load_refresh_and_erase_at_once_leave_the_right_states(
    ready: Target, tmp_path: Path
) -> None:
    def of_one_process(number: int) -> None:
        with database_of(ready, tmp_path / f"work{number}") as database:
            warehouse = Warehouse(database)
            for count in range(12):
                at_s = 100 * count + number
                load_into(warehouse, *(entry("updated", one, at_s=at_s) for one in range(1, 6)))
                if number == 1 and count % 5 == 0:
                    warehouse.erase(
                        PORTAL, EventSubject.of_comment(3), START + timedelta(seconds=at_s)
                    )
                refresh(database)

    with database_of(ready, tmp_path / "first") as database:
        Warehouse(database).prepare()
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(of_one_process, range(3)))
        refresh(database)

    assert ready.ask(STALE) == [(0,)]
    assert ready.ask("SELECT COUNT(*) FROM bitrix24.comment_states") == [(5,)]
    assert_right(ready)


@pytest.mark.parametrize("kind", ["duckdb"], indirect=True)
async def test_the_loading_process_makes_states_anew_when_it_has_nothing_to_load(
    fresh: Target, tmp_path: Path
) -> None:
    options = WarehouseSettings(
        destination=f"duckdb:///{fresh.destination.database}", work_dir=str(tmp_path / "work")
    )
    settings = Settings(warehouse=options)
    process = LoadingProcess(Opening(warehouse=options, log=settings.log), idle_s=60)

    def stale() -> int:
        try:
            return int(fresh.ask(STALE)[0][0])
        except duckdb.IOException:  # it has the file
            return -1

    def loads(first: int) -> Load:
        some = (entry("added", first + number) for number in range(3_000))
        return Load([RawEntry(one.stream, 0, one.id, encode_event(one.event)) for one in some])

    try:
        await process.call(loads(1), within_s=120)  # makes the tables, and ends
        await process.call(loads(5_001), within_s=120)
        await eventually(lambda: stale() == 0)
    finally:
        await process.close()
    assert_right(fresh)
