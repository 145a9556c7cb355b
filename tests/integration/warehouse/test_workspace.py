"""dlt is told nothing but our settings, and keeps nothing but what a load needs."""

from datetime import timedelta
from pathlib import Path

import pytest

from consumers.warehouse.destination import destination
from consumers.warehouse.destination_errors import DestinationAway
from consumers.warehouse.row_loading import Warehouse
from consumers.warehouse.workspace import Workspace
from tests.integration.warehouse.conftest import database_of
from tests.integration.warehouse.loading import Target, ask_duckdb, entry, load


def test_dlt_hears_neither_the_environment_nor_files_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dlt.common.runtime import telemetry

    from consumers.warehouse.dlt_database import DltDatabase

    elsewhere = tmp_path / "elsewhere.duckdb"
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "config.toml").write_text("[runtime]\ndlthub_telemetry = true\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "true")
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(elsewhere))
    monkeypatch.setenv("DATASET_NAME", "another")
    file = tmp_path / "warehouse.duckdb"

    workspace = Workspace(tmp_path / "work")
    database = DltDatabase(
        destination(f"duckdb:///{file}"), dataset="bitrix24", workspace=workspace
    )
    load(Warehouse(database), entry("added"))
    workspace.close()

    assert ask_duckdb(str(file))("SELECT COUNT(*) FROM bitrix24.comment_events") == [(1,)]
    assert not elsewhere.exists()
    assert not (tmp_path / "home").exists()
    assert not telemetry._TELEMETRY_STARTED  # noqa: SLF001 - dlt tells it nowhere else
    left = {path.name.partition("-")[0] for path in (tmp_path / "work").rglob("*")}
    assert left == {"0", "lock", "known"}


def test_each_process_has_a_directory_and_a_killed_one_leaves_its_to_the_next(
    tmp_path: Path,
) -> None:
    first, second = Workspace(tmp_path), Workspace(tmp_path)
    elsewhere = Workspace(tmp_path / "elsewhere")
    assert len({first.name, second.name, elsewhere.name}) == 3

    (first.path / "left behind").touch()
    first.close()
    successor = Workspace(tmp_path)

    assert (successor.path, successor.name) == (first.path, first.name)
    assert list(successor.path.iterdir()) == []
    for taken in (second, elsewhere, successor):
        taken.close()


def test_ten_loads_leave_as_many_files_as_three(ready: Target, tmp_path: Path) -> None:
    work = tmp_path / "work"
    with database_of(ready, work) as database:
        warehouse = Warehouse(database)
        files = []
        for count in (3, 7):
            for number in range(count):
                load(warehouse, entry("added", number + 1))
            files.append(sorted(str(path.relative_to(work)) for path in work.rglob("*")))

    assert files[0] == files[1]
    assert ready.ask("SELECT COUNT(*) FROM bitrix24.comment_events") == [(10,)]


@pytest.mark.parametrize("kind", ["dlt"], indirect=True)
def test_what_dlt_noted_of_loads_long_ago_is_removed(
    ready: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from consumers.warehouse import dlt_database as database_module

    monkeypatch.setattr(database_module, "_LOADS_KEPT_FOR", timedelta(0))
    monkeypatch.setattr(database_module, "_LOADS_BETWEEN_LOOKS", 3)
    with database_of(ready, tmp_path / "work") as database:
        warehouse = Warehouse(database)
        for number in range(4):
            load(warehouse, entry("added", number + 1))

    ((noted,),) = ready.ask("SELECT COUNT(*) FROM bitrix24._dlt_loads")
    assert noted <= 3


def test_duckdb_joins_no_row_groups_any_more_once_that_may_have_been_too_much(
    tmp_path: Path,
) -> None:
    target = Target(destination(f"duckdb:///{tmp_path}/warehouse.duckdb"), lambda _query: [])
    asked = "SELECT current_setting('max_vacuum_tasks')::INT, current_setting('memory_limit')"
    with database_of(target, tmp_path / "work") as database:
        with database.session():
            ((before, limit),) = database.ask(asked)
        with pytest.raises(DestinationAway), database.session():
            database.execute("SELECT no_such_column")
        with database.session():
            ((after, limit_after),) = database.ask(asked)

    assert before > 0
    assert after == 0
    assert limit_after == limit
