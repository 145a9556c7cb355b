"""Events as entries, and destinations that can be asked without the warehouse."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import duckdb
from msgspec import UNSET, Struct
from uuid_utils import uuid7

from consumers.warehouse.destination import Destination
from consumers.warehouse.other_event_rows import tables
from consumers.warehouse.row_loading import Warehouse
from gateway.contract import (
    COMMENT_ADDED,
    COMMENT_DELETED,
    COMMENT_UPDATED,
    Comment,
    CommentData,
    CommentEvent,
    CommentFile,
    EntityData,
    EntityEvent,
    Event,
    FetchedObject,
    source_of,
)

PORTAL = "010b6886ebc205e43ae65000ee00addb"
START = datetime(2025, 12, 18, 8, 0, tzinfo=UTC)

TYPES: Final[dict[str, Any]] = {
    "added": COMMENT_ADDED,
    "updated": COMMENT_UPDATED,
    "deleted": COMMENT_DELETED,
}

_entry_numbers = itertools.count(1)


class StreamEntry(Struct, frozen=True):
    """As much of an entry as a row needs."""

    event: Event
    id: str
    stream: str = "events"
    partition: int = 0


def entry(
    action: Literal["added", "updated", "deleted"],
    comment_id: int = 999,
    *,
    at_s: float = 0.0,
    event_id: str | None = None,
    member_id: str = PORTAL,
    user_id: int | None = 7,
    comment: Comment | None = None,
    entry_ms: int | None = None,
) -> StreamEntry:
    """An event received `at_s` seconds after START."""
    received = START + timedelta(seconds=at_s)
    event = CommentEvent(
        id=event_id or str(uuid7()),
        source=source_of(member_id),
        type=TYPES[action],
        subject=f"comment/{comment_id}",
        time=f"{received:%Y-%m-%dT%H:%M:%SZ}",
        receivedat=received.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        data=CommentData(
            comment_id=comment_id,
            member_id=member_id,
            domain="acme.bitrix24.com",
            user_id=user_id,
            comment=comment or UNSET,
        ),
    )
    milliseconds = entry_ms or int(received.timestamp() * 1000)
    return StreamEntry(event, f"{milliseconds}-{next(_entry_numbers)}")


def deal_entry(
    deal_id: int | str | None = 77,
    *,
    at_s: float = 0.0,
    event_id: str | None = None,
    member_id: str = PORTAL,
    fields: dict[str, Any] | None = None,
    found: FetchedObject | None = None,
) -> StreamEntry:
    """An event of a deal received `at_s` seconds after START."""
    received = START + timedelta(seconds=at_s)
    event = EntityEvent(
        id=event_id or str(uuid7()),
        source=source_of(member_id),
        type="bitrix24.crm.deal.updated",
        subject="deal" if deal_id is None else f"deal/{deal_id}",
        time=f"{received:%Y-%m-%dT%H:%M:%SZ}",
        receivedat=received.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        data=EntityData(
            member_id=member_id,
            domain="acme.bitrix24.com",
            user_id=7,
            fields={"FIELDS": {"ID": str(deal_id)}} if fields is None else fields,
            object=found or UNSET,
        ),
    )
    return StreamEntry(event, f"{int(received.timestamp() * 1000)}-{next(_entry_numbers)}")


def fetched(text: str, *, at_s: float, state: Literal["present", "deleted"] = "present") -> Comment:
    """What the enricher found `at_s` seconds after START."""
    return Comment(
        state=state,
        text=text,
        text_plain=text,
        author_id=3,
        entity_type="deal",
        entity_id=42,
        created_at="2025-12-18T07:00:00Z",
        files=(CommentFile(id=5, name='a "quoted", name.pdf'),),
        fetched_at=(START + timedelta(seconds=at_s)).isoformat(),
        content_hash=f"hash of {text}",
    )


def load(warehouse: Warehouse, *entries: StreamEntry) -> None:
    """Load these entries as one batch."""
    warehouse.load(*tables(entries, loaded_at=datetime.now(UTC)))


class Target(Struct):
    """A destination under test, and a way to ask it that has nothing to do with the warehouse's.

    `is_by_dlt` says that it is loaded as those that have no straight way.
    """

    destination: Destination
    ask: Callable[[str], list[tuple[Any, ...]]]
    is_by_dlt: bool = False

    def dicts(self, query: str) -> list[dict[str, Any]]:
        """The rows of `SELECT column, ... FROM ...` by column name."""
        names = [
            name.strip()
            for name in query.split("FROM", maxsplit=1)[0].removeprefix("SELECT").split(",")
        ]
        return [dict(zip(names, row, strict=True)) for row in self.ask(query)]


def ask_duckdb(path: str) -> Callable[[str], list[tuple[Any, ...]]]:
    def ask(query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(path, read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(query).fetchall()

    return ask
