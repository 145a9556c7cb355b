"""Opens the warehouse for commands, and says in one line what is out of reach."""

from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

import click
import uvloop

from consumers.warehouse.destination import destination
from consumers.warehouse.destination_errors import DestinationAway
from consumers.warehouse.opening import opened_on_thread
from consumers.warehouse.warehouse_thread import WarehouseThread
from gateway import logs
from gateway.commandline import settings_of
from gateway.errors import OperatorError
from gateway.redis_access import connections
from gateway.settings import Settings

__all__ = ["naming_what_is_away", "opened_warehouse", "run", "warehouse_settings"]


def opened_warehouse(settings: Settings) -> AbstractAsyncContextManager[WarehouseThread]:
    """The warehouse of the settings, on a thread of its own."""
    return opened_on_thread(settings.warehouse, destination(settings.warehouse.destination))


def warehouse_settings(context: click.Context) -> Settings:
    """The settings of the command line; logs are the consumer's."""
    settings = settings_of(context)
    logs.configure(settings.log, process="warehouse")
    return settings


def run(doing: Coroutine[Any, Any, Any]) -> Any:
    """What it returns. Raises OperatorError if the warehouse or Redis is out of reach."""
    return naming_what_is_away(lambda: uvloop.run(doing))


def naming_what_is_away(doing: Callable[[], Any]) -> Any:
    """What it returns. Raises OperatorError if the warehouse or Redis is out of reach."""
    try:
        return doing()
    except DestinationAway as error:
        raise OperatorError(f"[warehouse] destination: {error}") from error
    except connections.AWAY as error:
        raise OperatorError(f"[redis] url: {error}; what was under way can be repeated") from error
