"""The warehouse: every event about a comment as a row, in a database where people can ask."""

from consumers import Consumer
from gateway.settings import Settings

__all__ = ["build"]


def build(settings: Settings) -> Consumer:
    """The warehouse consumer. Raises BadDestination for a destination that cannot be used."""
    from consumers.warehouse.consumer import consumer_of  # noqa: PLC0415 - needs dlt and Arrow

    return consumer_of(settings)
