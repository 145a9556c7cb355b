"""What a database server does to the warehouse, and a file does not."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from consumers.warehouse.destination_errors import DestinationAway
from consumers.warehouse.row_loading import Warehouse
from tests.integration.warehouse.conftest import database_of
from tests.integration.warehouse.loading import StreamEntry, Target, entry, load
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.parametrize("kind", ["postgres"], indirect=True)


def test_a_destination_that_came_back_takes_what_it_refused(
    warehouse: Warehouse, target: Target, postgres: PostgresServer
) -> None:
    load(warehouse, entry("added", 1))

    postgres.stop()
    try:
        with pytest.raises(DestinationAway, match="onnect"):
            load(warehouse, entry("added", 2))
    finally:
        postgres.start()
    load(warehouse, entry("added", 2))

    assert target.ask("SELECT COUNT(*) FROM bitrix24.comment_events") == [(2,)]


def test_two_processes_load_at_once_without_emptying_each_other(
    warehouse: Warehouse, target: Target, tmp_path: Path
) -> None:
    """As it is with several partitions, or with a backfill beside the consumer."""
    both = [entry("updated", number) for number in range(500)]
    mine = [entry("updated", number) for number in range(500)]
    theirs = [entry("updated", number) for number in range(500)]

    def work(which: Warehouse, entries: list[StreamEntry]) -> None:
        for start in range(0, len(entries), 200):
            until_loaded(which, entries[start : start + 200])

    with (
        database_of(target, tmp_path / "second") as other,
        ThreadPoolExecutor(2) as threads,
    ):
        for done in (
            threads.submit(work, warehouse, both + mine),
            threads.submit(work, Warehouse(other), both + theirs),
        ):
            done.result()

    assert target.ask("SELECT COUNT(*), COUNT(DISTINCT event_id) FROM bitrix24.comment_events") == [
        (1500, 1500)
    ]
    assert target.ask(
        "SELECT COUNT(*) FROM pg_namespace WHERE nspname LIKE 'bitrix24_staging%%'"
    ) == [(0,)], "no process leaves one behind"


def until_loaded(warehouse: Warehouse, entries: list[StreamEntry]) -> None:
    """As the runtime does it: what is refused for now is loaded again."""
    for _ in range(50):
        try:
            return load(warehouse, *entries)
        except DestinationAway:
            continue
    raise AssertionError("refused 50 times")
