"""Defines the section `[feed]` and its tokens."""

from typing import Annotated, Literal

from msgspec import Meta

from gateway.settings.sections.kinds import Port, Positive, Seconds, Section, local_url

__all__ = ["FeedSettings", "FeedTokenSettings"]

_Digest = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{64}\Z", description="64 hexadecimal digits: a SHA-256")
]
_MemberId = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,100}\Z", description="the member_id of a portal")
]
_TypePattern = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_.*-]{1,200}\Z",
        description="a type of event, in which `*` stands for any text",
    ),
]


class FeedTokenSettings(Section, frozen=True, kw_only=True):
    """[[feed.tokens]]: who may read the feed, and what of it; `consumers feed token` makes one."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_.-]+\Z",
            max_length=64,
            description="of letters, digits, `_`, `.`, `-`",
        ),
    ]
    """What logs and metrics call whoever has the token."""
    digests: Annotated[tuple[_Digest, ...], Meta(min_length=1)]
    """The SHA-256 of the token; two while one token takes the place of another."""
    portals: tuple[_MemberId, ...] = ()
    """Only events of these portals, by `member_id`; without any, of all."""
    types: tuple[_TypePattern, ...] = ()
    """Only events of these types; `*` stands for any text. Without any, of all."""
    texts: bool = False
    """Whether with texts of comments and files, `fields` and `object`; else without."""


class FeedSettings(Section, frozen=True, kw_only=True):
    """[feed]: events over HTTP for services without Redis: `consumers run feed`; docs/feed.md."""

    host: str = "127.0.0.1"
    """The address to listen on; a proxy that speaks TLS stands in front."""
    port: Port = 8090
    """The port to listen on."""
    stream: Literal["events", "comments"] = "comments"
    """`comments`, which has what comments and objects look like, or `events`."""
    max_connections: Positive = 2000
    """How many connections there may be; of further ones, those go that ask for nothing."""
    max_requests_per_token: Positive = 1000
    """How many requests of a token may be under way at a time: streams, and those that wait."""
    stream_s: Annotated[float, Meta(ge=1)] = 3600.0
    """About how many seconds a stream lasts; then its client comes again by itself."""
    send_timeout_s: Seconds = 20.0
    """How many seconds a client may take to read what waits for it; then it is cut."""
    buffer_bytes: Annotated[int, Meta(ge=65536)] = 16_777_216
    """How much of the newest events is kept in memory; what is older is read of Redis."""
    tokens: tuple[FeedTokenSettings, ...] = ()
    """Who may read; without any nobody may, and `gateway up` starts no feed."""

    @property
    def local_url(self) -> str:
        """Where it is from this machine."""
        return local_url(self.host, self.port)
