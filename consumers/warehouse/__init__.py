"""Loads every event as a row into a database where people can ask: the warehouse."""

import os

from consumers import Consumer
from gateway.settings import Settings

__all__ = ["build"]

# Arrow's own allocator keeps 30 MB that it does not need. Arrow reads this when it is imported:
# https://arrow.apache.org/docs/cpp/env_vars.html
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")


def build(settings: Settings) -> Consumer:
    """The warehouse consumer. Raises BadDestination for a destination that cannot be used."""
    # Of no use to the process that loads, which imports this package as well.
    from consumers.warehouse.consumer import consumer_of  # noqa: PLC0415
    from consumers.warehouse.libraries import require_libraries  # noqa: PLC0415

    require_libraries()
    return consumer_of(settings)
