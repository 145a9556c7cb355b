"""Defines the section `[relay]` and its endpoints."""

from typing import Annotated, Literal

from msgspec import Meta

from gateway.settings.sections.kinds import (
    NotNegative,
    Seconds,
    Secret,
    SecretUrl,
    Section,
)

__all__ = ["EndpointSettings", "RelaySettings"]


class EndpointSettings(Section, frozen=True, kw_only=True):
    """[[relay.endpoints]]: a service that events are pushed to over HTTP, and which of them."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,57}\Z",
            description="of letters, digits, `_`, `.`, `-`, 58 at most",
        ),
    ]
    """What logs, metrics and commands call it; its group is `relay-<name>`."""
    url: SecretUrl
    """Where to: `https://…`. `user:password@` in it becomes Basic authentication."""
    secrets: Annotated[tuple[Secret, ...], Meta(min_length=1, max_length=4)]
    """What deliveries are signed with, as `whsec_` and Base64 of 24 to 64 bytes; two while one of
    them is being replaced: each delivery has a signature of each."""
    types: Annotated[tuple[str, ...], Meta(min_length=1)] = ("bitrix24.*",)
    """Only events of these types; `*` stands for any text."""
    portals: tuple[str, ...] = ()
    """Only events of these portals, by `member_id` or domain."""
    mode: Literal["structured", "binary"] = "structured"
    """Whether the body is the whole event, all of it signed, or its `data` alone, with the rest in
    headers."""
    stream: Literal["comments", "events"] = "comments"
    """Which stream to read: `comments`, which a running enricher writes, or `events`, which has no
    texts and needs none."""
    start: Literal["now", "beginning"] = "now"
    """Where a new endpoint begins: with what comes, or with the oldest event on the stream."""
    timeout_s: Seconds = 15.0
    """How many seconds the endpoint may take to answer."""
    concurrency: Annotated[int, Meta(ge=1, le=64)] = 8
    """How many deliveries of a process may be under way at a time; of one subject, one is."""
    max_per_second: NotNegative = 0.0
    """The most deliveries of a process in a second, also of what has gathered in an outage; 0 for
    no cap."""


class RelaySettings(Section, frozen=True, kw_only=True):
    """[relay]: which services events are pushed to over HTTP."""

    allow_private: bool = False
    """Whether endpoints may be in private networks or on this machine."""
    allow_networks: tuple[str, ...] = ()
    """Private networks that endpoints may be in, as `10.1.2.0/24`."""
    retry_s: Annotated[tuple[Seconds, ...], Meta(min_length=1)] = (
        *(5.0, 30.0, 300.0, 1800.0),
        *(7200.0, 18000.0, 36000.0),
    )
    """After how many seconds an event that an endpoint refuses, while it takes others, is sent
    again: after the first refusal, the second, …; the last of them from then on. Chance adds up to
    a fifth."""
    give_up_s: Seconds = 259_200.0
    """After how many seconds of refusals it becomes a dead letter."""
    longest_pause_s: Seconds = 300.0
    """How many seconds at most an endpoint that takes nothing is left alone between two tries."""
    pause_after_s: Seconds = 432_000.0
    """After how many seconds without a success a failing endpoint is paused until an operator
    resumes it."""
    max_retry_after_s: Seconds = 3600.0
    """How many seconds of an endpoint's `Retry-After` are honoured at most."""
    endpoints: tuple[EndpointSettings, ...] = ()
    """The endpoints, each a table `[[relay.endpoints]]`."""
