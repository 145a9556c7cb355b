"""Defines the section `[notifier]` and its routes."""

from typing import Annotated, Literal

from msgspec import Meta

from gateway.settings.sections.kinds import NotNegative, Positive, Seconds, Secret, Section

__all__ = ["NotifierSettings", "RouteSettings"]


class RouteSettings(Section, frozen=True, kw_only=True):
    """[[notifier.routes]]: somebody who is told of events, which of them, and how."""

    urls: Annotated[tuple[Secret, ...], Meta(min_length=1)]
    """Where to: Apprise URLs. Each is delivered to by itself: a dead one delays no other."""
    name: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_.-]*\Z",
            max_length=64,
            description="of letters, digits, `_`, `.`, `-`",
        ),
    ] = ""
    """What logs, metrics and keys in Redis call this route; without one its number, from 1."""
    events: tuple[str, ...] = ("bitrix24.crm.timeline.comment.*",)
    """Only events of these types; `*` stands for any text."""
    portals: tuple[str, ...] = ()
    """Only events of these portals, by `member_id` or domain."""
    entity_types: tuple[str, ...] = ()
    """Only comments on these: `lead`, `deal`, `contact`, `company`, … Needs stream `comments`."""
    entity_ids: tuple[int, ...] = ()
    """Only comments on the entities with these ids. Needs stream `comments`."""
    authors: tuple[int, ...] = ()
    """Only comments whose author is one of these users. Needs stream `comments`."""
    users: tuple[int, ...] = ()
    """Only events that one of these users caused."""
    words: tuple[str, ...] = ()
    """Only comments with one of these words or phrases in their text. Needs stream `comments`."""
    language: Literal["en", "ru"] = "en"
    """The language of the templates that the route does not replace."""
    title: str = ""
    """A Jinja2 template for the title, or `file:/path` of one."""
    body: str = ""
    """A Jinja2 template for the body, or `file:/path` of one."""
    digest_title: str = ""
    """A Jinja2 template for the title of a message about several events, or `file:/path`."""
    digest_body: str = ""
    """A Jinja2 template for the body of a message about several events, or `file:/path`."""
    window_s: NotNegative = 10.0
    """For how many seconds edits of one comment, deal, … are gathered into one notification."""
    digest_minutes: Annotated[int, Meta(ge=0, le=1440)] = 0
    """One message every so many minutes, counted from midnight; 0 for one for each subject."""
    quiet_hours: Annotated[
        str, Meta(pattern=r"^(\d\d:\d\d-\d\d:\d\d)?\Z", description="two times, as 22:00-07:00")
    ] = ""
    """`22:00-07:00`: what happens in these hours comes as one message at their end."""
    time_zone: str = "UTC"
    """The time zone of quiet hours, digests and times in messages, as `Europe/Berlin`."""
    max_per_hour: Annotated[int, Meta(ge=0)] = 0
    """The most messages an hour; what is held back comes as one message after it. 0 for no cap."""
    timeout_s: Seconds = 10.0
    """How many seconds a target may take to answer, unless its URL says otherwise (`rto`)."""
    max_backlog: Positive = 10_000
    """How many notifications may wait for a target; beyond that, the oldest are given up."""
    max_age_s: Seconds = 86_400.0
    """How many seconds a notification may be late before it is given up."""
    after_crash: Literal["resend", "drop"] = "resend"
    """What becomes of a message whose sending a crash cut off: it may have arrived, or not."""


class NotifierSettings(Section, frozen=True, kw_only=True):
    """[notifier]: who is told of what."""

    stream: Literal["events", "comments"] = "comments"
    """Which stream to read: `comments`, which a running enricher writes, or `events`, which has no
    texts and needs none."""
    deliver: Literal["all", "first"] = "all"
    """Whether an event goes to all routes that match, or to the first one only."""
    own_users: tuple[str, ...] = ()
    """Users whose events nobody is told of, such as an integration's: `7`, or `<member_id>/7`."""
    allow_private: bool = False
    """Whether targets may be in private networks or on this machine."""
    allow_networks: tuple[str, ...] = ()
    """Private networks that targets may be in, as `10.1.2.0/24`."""
    routes: tuple[RouteSettings, ...] = ()
    """The routes, each a table `[[notifier.routes]]`."""
