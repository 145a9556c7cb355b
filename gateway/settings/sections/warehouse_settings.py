"""Defines the section `[warehouse]`."""

from typing import Annotated

from msgspec import Meta

from gateway.settings.sections.kinds import Positive, Seconds, SecretUrl, Section

__all__ = ["WarehouseSettings"]


class WarehouseSettings(Section, frozen=True, kw_only=True):
    """[warehouse]: where the warehouse consumer loads to."""

    destination: SecretUrl = "duckdb:///var/warehouse.duckdb"
    """`duckdb:///<path>`, `postgres://user:password@host/database`, or one of docs/warehouse.md."""
    dataset: Annotated[
        str,
        Meta(
            pattern=r"^[a-z][a-z0-9_]{0,39}\Z",
            description="of small letters, digits and `_`, a letter first, up to 40",
        ),
    ] = "bitrix24"
    """The schema (in BigQuery the dataset, in an object store the directory) of the tables."""
    stream: Annotated[
        str, Meta(pattern=r"^(events|comments)\Z", description="events or comments")
    ] = "comments"
    """What is loaded: `comments`, which a running enricher writes, or `events`, which has no texts
    and needs none."""
    max_events: Positive = 10_000
    """The largest number of events of one load."""
    max_wait_s: Seconds = 5.0
    """How many seconds an event waits at most for others to be loaded with it."""
    work_dir: str = "var/warehouse"
    """Where files wait on their way to the destination, emptied at each start; and where what was
    erased is kept, should its tables be lost."""
