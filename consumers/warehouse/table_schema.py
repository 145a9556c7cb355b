"""Describes the tables of the warehouse: names, columns, types, and the version of all of them.

Within the life of the warehouse columns are only added, always nullable, at the end: an older
process goes on loading into a newer table. Every change here raises `VERSION` by one and is a line
of the table of versions in docs/warehouse.md.
"""

from typing import Final, Literal

from msgspec import Struct

__all__ = [
    "COMMENT_EVENTS",
    "ERASURES",
    "EVENTS",
    "TABLES",
    "VERSION",
    "VERSIONS",
    "Column",
    "Table",
]

VERSION: Final = 5
"""The version of the tables that this code writes."""

Type = Literal["text", "bigint", "bool", "timestamp", "json"]
"""Types by dlt's names. Timestamps are in UTC, in microseconds."""


class Column(Struct, frozen=True):
    """A column; `description` becomes the comment on it where the destination has comments."""

    name: str
    type: Type
    description: str
    nullable: bool = True


class Table(Struct, frozen=True):
    """A table whose rows are merged on `key`: loading a row again replaces it.

    `since` is the version of the tables that it came with.
    """

    name: str
    key: str
    description: str
    columns: tuple[Column, ...]
    since: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self.columns)


COMMENT_EVENTS: Final = Table(
    "comment_events",
    "event_id",
    "One row for each event about a timeline comment, merged on event_id.",
    (
        Column("event_id", "text", "Receipt id of the event (UUIDv7); one row each.", False),
        Column("action", "text", "What happened: added, updated or deleted.", False),
        Column("member_id", "text", "The portal, by the id that never changes.", False),
        Column("domain", "text", "The portal's domain when the event came; it can change.", False),
        Column("comment_id", "bigint", "The comment; unique within a portal.", False),
        Column("user_id", "bigint", "Who acted; null for robots, workflows and webhooks."),
        Column("event_handler_id", "bigint", "The binding that told us; null if unknown."),
        Column("occurred_at", "timestamp", "Bitrix24's clock, in whole seconds.", False),
        Column("received_at", "timestamp", "When the request reached the gateway.", False),
        Column("traceparent", "text", "W3C trace context of the request; null without tracing."),
        Column("stream", "text", "The stream that the event was loaded from.", False),
        Column("stream_partition", "bigint", "The partition of that stream.", False),
        Column("entry_ms", "bigint", "Entry id on the stream, first part: milliseconds.", False),
        Column("entry_seq", "bigint", "Entry id on the stream, second part: sequence.", False),
        Column(
            "loaded_at",
            "timestamp",
            "When the row was loaded.",
            False,
        ),
        Column(
            "comment_state",
            "text",
            "present, deleted or unavailable; null: not fetched.",
        ),
        Column("comment_text", "text", "The comment with its BB-code."),
        Column("comment_text_plain", "text", "The comment as plain text."),
        Column("author_id", "bigint", "The user who wrote the comment."),
        Column("entity_type", "text", "What the comment is about: deal, lead, contact, ..."),
        Column("entity_id", "bigint", "Which one."),
        Column("comment_created_at", "timestamp", "When the comment was written."),
        Column("files", "json", "Attached files, a JSON array."),
        Column("fetched_at", "timestamp", "When the comment was fetched from Bitrix24."),
        Column("content_hash", "text", "Equal for equal contents."),
        Column("unavailable_reason", "text", "Why the comment could not be fetched."),
        Column("comment_cut", "json", "What is cut, text or files, a JSON array; null: nothing."),
    ),
)

EVENTS: Final = Table(
    "events",
    "event_id",
    "One row for each event of a portal that is not about a timeline comment, merged on event_id.",
    (
        Column("event_id", "text", "Receipt id of the event (UUIDv7); one row each.", False),
        Column("type", "text", "What happened, as bitrix24.crm.deal.updated.", False),
        Column("member_id", "text", "The portal, by the id that never changes.", False),
        Column("domain", "text", "The portal's domain when the event came; it can change."),
        Column("subject_kind", "text", "What it is about: deal, task, item.1032, app, ...", False),
        Column("subject_id", "text", "Which one, within the portal; null if nobody said."),
        Column("user_id", "bigint", "Who acted; null for robots, workflows and webhooks."),
        Column("event_handler_id", "bigint", "The binding that told us; null if unknown."),
        Column("occurred_at", "timestamp", "Bitrix24's clock, in whole seconds.", False),
        Column("received_at", "timestamp", "When the request reached the gateway.", False),
        Column("is_recovered", "bool", "Whether it was missed, and found afterwards.", False),
        Column("fields", "json", "What the event itself said, a JSON object.", False),
        Column("object_state", "text", "present, deleted or unavailable; null: not fetched."),
        Column("object", "json", "What the portal said of the object, a JSON object."),
        Column("object_fetched_at", "timestamp", "When the object was fetched from Bitrix24."),
        Column("object_hash", "text", "Equal for equal contents."),
        Column("unavailable_reason", "text", "Why the object could not be fetched."),
        Column("object_cut", "json", "Fields that are not whole, a JSON array; null: none."),
        Column("traceparent", "text", "W3C trace context of the request; null without tracing."),
        Column("stream", "text", "The stream that the event was loaded from.", False),
        Column("stream_partition", "bigint", "The partition of that stream.", False),
        Column("entry_ms", "bigint", "Entry id on the stream, first part: milliseconds.", False),
        Column("entry_seq", "bigint", "Entry id on the stream, second part: sequence.", False),
        Column("loaded_at", "timestamp", "When the row was loaded.", False),
    ),
    since=5,
)

ERASURES: Final = Table(
    "erasures",
    "erasure_id",
    "What was erased on request; events received before erased_at are never loaded again.",
    (
        Column("erasure_id", "text", "A number of its own (UUIDv7).", False),
        Column("member_id", "text", "The portal.", False),
        Column(
            "comment_id",
            "bigint",
            "The comment; null if the whole portal was erased, 0 for another subject.",
        ),
        Column("erased_at", "timestamp", "When.", False),
        Column("rows_erased", "bigint", "How many rows went.", False),
        Column("subject", "text", "What was erased if it is no comment, as contact/7."),
    ),
)

VERSIONS: Final = Table(
    "schema_versions",
    "version",
    "Each version of these tables, and since when they have it.",
    (
        Column("version", "bigint", "The version; docs/warehouse.md describes each.", False),
        Column("applied_at", "timestamp", "When the tables got it.", False),
    ),
)

TABLES: Final = (COMMENT_EVENTS, EVENTS, ERASURES, VERSIONS)
