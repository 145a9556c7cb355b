"""Defines the events on the streams: CloudEvents 1.0 in the structured JSON mode.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md

Readers must ignore fields and types that they do not know: both may be added within version 1.

What comes out of JSON holds no cycles, so the collector need not look at events (`gc=False`):
https://jcristharif.com/msgspec/structs.html#disabling-garbage-collection
"""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

__all__ = [
    "APP_INSTALLED",
    "APP_TESTED",
    "APP_UNINSTALLED",
    "COMMENT_ADDED",
    "COMMENT_DELETED",
    "COMMENT_UPDATED",
    "PORTAL_RECOVERED",
    "PORTAL_SILENT",
    "PORTAL_TOKEN_EXPIRING",
    "PORTAL_UNAUTHORIZED",
    "PORTAL_UNBOUND",
    "AppData",
    "AppEvent",
    "AppType",
    "CloudEvent",
    "Comment",
    "CommentData",
    "CommentEvent",
    "CommentFile",
    "CommentType",
    "OtherEvent",
    "PortalData",
    "PortalEvent",
    "PortalType",
    "Trouble",
    "source_of",
]

COMMENT_ADDED: Final = "bitrix24.crm.timeline.comment.added"
COMMENT_UPDATED: Final = "bitrix24.crm.timeline.comment.updated"
COMMENT_DELETED: Final = "bitrix24.crm.timeline.comment.deleted"
APP_INSTALLED: Final = "bitrix24.app.installed"
APP_UNINSTALLED: Final = "bitrix24.app.uninstalled"
APP_TESTED: Final = "bitrix24.app.tested"
PORTAL_SILENT: Final = "bitrix24.portal.silent"
PORTAL_UNBOUND: Final = "bitrix24.portal.unbound"
PORTAL_TOKEN_EXPIRING: Final = "bitrix24.portal.token_expiring"  # noqa: S105 - a type
PORTAL_UNAUTHORIZED: Final = "bitrix24.portal.unauthorized"
PORTAL_RECOVERED: Final = "bitrix24.portal.recovered"

# A string on purpose: encoding stays as cheap as copying it, and the wire form is exact.
Timestamp = Annotated[
    str, Meta(description="RFC 3339, UTC", extra_json_schema={"format": "date-time"})
]


Id = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""A number that Bitrix24 gave; its databases have 64 bits for it, and so have the consumers'."""

CommentType = Literal[
    "bitrix24.crm.timeline.comment.added",
    "bitrix24.crm.timeline.comment.updated",
    "bitrix24.crm.timeline.comment.deleted",
]
AppType = Literal["bitrix24.app.installed", "bitrix24.app.uninstalled", "bitrix24.app.tested"]
PortalType = Literal[
    "bitrix24.portal.silent",
    "bitrix24.portal.unbound",
    "bitrix24.portal.token_expiring",
    "bitrix24.portal.unauthorized",
    "bitrix24.portal.recovered",
]
Trouble = Literal["silent", "unbound", "token_expiring", "unauthorized"]


class CloudEvent(Struct, frozen=True, kw_only=True, gc=False):
    """The attributes that every event has; `data` is added by its subclasses.

    `id` is the receipt id (UUIDv7): unique per accepted request, and the key on which effects are
    made idempotent. `time` is Bitrix24's clock in whole seconds and only informational;
    `receivedat` is the gateway's clock in milliseconds. `recovered` is true if the gateway was not
    told of the event in time and found out later: `receivedat` then is when it did.
    """

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: Timestamp
    receivedat: Timestamp
    traceparent: str | UnsetType = UNSET
    recovered: bool | UnsetType = UNSET
    datacontenttype: Literal["application/json"] = "application/json"

    @property
    def received_at(self) -> datetime:
        """When the gateway received the request, as an aware datetime in UTC."""
        return datetime.fromisoformat(self.receivedat)

    @property
    def occurred_at(self) -> datetime:
        """When Bitrix24 says it happened, as an aware datetime in UTC."""
        return datetime.fromisoformat(self.time)


class CommentFile(Struct, frozen=True, kw_only=True, gc=False):
    """A file attached to a comment; `id` is that of the object on the portal's drive.

    `type` is Bitrix24's word for it (`file`, `image`, `video`), `size` is in bytes.
    """

    id: int
    name: str = ""
    type: str = ""
    size: int | None = None
    author_id: Id | None = None
    created_at: Timestamp | None = None


class Comment(Struct, frozen=True, kw_only=True, gc=False):
    """What a comment looked like when the enricher fetched it.

    `state` is `present`, `deleted` or `unavailable`; `reason` says why it is unavailable. For a
    deleted comment the other fields hold what was last known of it, if anything was. `text` is
    BB-code, `text_plain` the same for programs that know nothing of BB-code. `content_hash` is
    equal for equal contents: the whole text, and which files are attached. `cut` names the fields
    that have only the beginning of what the portal has: `text` (and `text_plain`), `files`.
    """

    state: Literal["present", "deleted", "unavailable"]
    text: str | None = None
    text_plain: str | None = None
    author_id: Id | None = None
    entity_type: str | None = None
    entity_id: Id | None = None
    created_at: Timestamp | None = None
    files: tuple[CommentFile, ...] = ()
    fetched_at: Timestamp | None = None
    content_hash: str | None = None
    reason: str | None = None
    cut: tuple[str, ...] = ()


class CommentData(Struct, frozen=True, kw_only=True, gc=False):
    """Which comment changed, in which portal, and through which binding we were told.

    `domain` is informational (it changes when a portal is renamed); `member_id` identifies the
    portal. `user_id` is the owner of the tokens that came with the event, who usually is the user
    who acted; null for robots, workflows and webhooks. `comment` is there on `comments` only.
    """

    comment_id: Id
    member_id: str
    domain: str
    user_id: Id | None = None
    event_handler_id: Id | None = None
    comment: Comment | UnsetType = UNSET


class CommentEvent(CloudEvent, frozen=True, kw_only=True, gc=False):
    """A timeline comment was added, updated or deleted."""

    type: CommentType
    data: CommentData


class AppData(Struct, frozen=True, kw_only=True, gc=False):
    """Which portal installed, uninstalled or tested the application.

    `clean` is true when the user asked for the application's data to be erased. `test` is there
    when `event.test` was called: the id that the caller gave as its parameter `canary`, else null.
    """

    member_id: str
    domain: str
    user_id: Id | None = None
    event_handler_id: Id | None = None
    clean: bool = False
    test: str | UnsetType | None = UNSET


class AppEvent(CloudEvent, frozen=True, kw_only=True, gc=False):
    """The application was installed in a portal, uninstalled from it, or tested there."""

    type: AppType
    data: AppData


class PortalData(Struct, frozen=True, kw_only=True, gc=False):
    """What is wrong with a portal, or was, as the gateway found out by itself.

    `since` is when the trouble began as far as is known; `until`, when it ended (`recovered`). Of a
    silence, `since` is when the last event came, and `usual_per_hour` how many come in such an hour
    otherwise. `missing` names the events whose handlers were not bound any more; `is_mended` is
    true if they are bound again. `expires_at` is when the portal's refresh token ends. `reason` is
    what the portal says, without secrets.
    """

    member_id: str
    domain: str
    trouble: Trouble
    since: Timestamp
    until: Timestamp | None = None
    usual_per_hour: float | None = None
    missing: tuple[str, ...] = ()
    is_mended: bool = False
    expires_at: Timestamp | None = None
    reason: str | None = None


class PortalEvent(CloudEvent, frozen=True, kw_only=True, gc=False):
    """The gateway noticed a trouble with a portal, or its end; for operators.

    A trouble begins once, and ends once as `recovered`. Bitrix24 sends none of these: `time` is the
    gateway's clock, too.
    """

    type: PortalType
    data: PortalData


class OtherEvent(CloudEvent, frozen=True, kw_only=True, gc=False):
    """An event of a type that this version of the contract does not describe."""

    data: dict[str, Any] = {}


def source_of(member_id: str) -> str:
    """The CloudEvents `source` of a portal."""
    return f"urn:bitrix24:{member_id}"
