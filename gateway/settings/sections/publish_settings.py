"""Defines the section `[publish]`."""

from typing import Annotated

from msgspec import Meta

from gateway.settings.sections.kinds import Positive, Seconds, Section

__all__ = ["PublishSettings"]


class PublishSettings(Section, frozen=True, kw_only=True):
    """[publish]: what `stored` means, and how long a request may wait for it."""

    ack: Annotated[
        str,
        Meta(
            pattern=r"^(written|fsynced|replicated:[1-9][0-9]?)\Z",
            description="written, fsynced or replicated:<n>, n from 1 to 99",
        ),
    ] = "written"
    """When an event is stored: `written` to Redis, `fsynced` on its disk, `replicated:<n>`."""
    deadline_s: Seconds = 2.0
    """How many seconds a request may wait for Redis before it is answered otherwise."""
    max_queued: Positive = 20_000
    """How many events may wait for Redis at once; beyond that, requests are answered 503."""
