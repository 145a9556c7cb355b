"""Opens the warehouse of the settings, in the process that calls it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

from consumers.warehouse.database_choice import database_of
from consumers.warehouse.destination import Destination
from consumers.warehouse.destination_errors import DestinationAway
from consumers.warehouse.row_loading import Warehouse
from consumers.warehouse.warehouse_thread import CallThread, WarehouseThread
from consumers.warehouse.workspace import Workspace
from gateway.settings import WarehouseSettings

__all__ = ["opened", "opened_on_thread"]

_CLOSING_S: Final = 5.0


@contextmanager
def opened(settings: WarehouseSettings, target: Destination) -> Iterator[Warehouse]:
    """The warehouse of the settings; nothing of this process stays behind. Connects to nothing."""
    workspace = Workspace(Path(settings.work_dir))
    try:
        database = database_of(target, dataset=settings.dataset, workspace=workspace)
        warehouse = Warehouse(database)
        try:
            yield warehouse
        finally:
            warehouse.close()
    finally:
        workspace.close()


@asynccontextmanager
async def opened_on_thread(
    settings: WarehouseSettings, target: Destination
) -> AsyncIterator[WarehouseThread]:
    """The same on a thread of its own, for a process that does something else meanwhile."""
    thread = CallThread("warehouse")
    opening = opened(settings, target)
    try:
        # dlt keeps its context for each thread.
        warehouse = await thread.call(opening.__enter__)
        try:
            yield WarehouseThread(warehouse, thread)
        finally:
            # What still hangs is left to the end of the process.
            with suppress(DestinationAway):
                await thread.call(opening.__exit__, None, None, None, within_s=_CLOSING_S)
    finally:
        thread.end()
