"""Defines the section `[retention]`."""

from typing import Annotated

from msgspec import Meta

from gateway.settings.sections.kinds import NotNegative, Seconds, Section

__all__ = ["RetentionSettings"]


class RetentionSettings(Section, frozen=True, kw_only=True):
    """[retention]: how long the streams keep events; docs/retention.md."""

    days: NotNegative = 7.0
    """How many days an event stays, if there is memory for it; until every group has handled it, it
    stays in any case."""
    days_first: bool = False
    """When memory runs short: false lets what is handled go early, true lets new events wait."""
    non_holding_groups: tuple[str, ...] = ()
    """Groups that events do not wait for: what they have not read in time is removed, and told."""
    dead_letter_days: NotNegative = 30.0
    """How many days a dead letter is kept, and the text in it; 0: until there are too many."""
    warn_held_days: NotNegative = 1.0
    """A group that has not acknowledged an event for so many days is warned of."""
    max_memory_share: Annotated[float, Meta(gt=0, le=1)] = 0.9
    """From this share of Redis' `maxmemory` on, new events wait in the spool."""
    every_s: Seconds = 10.0
    """How many seconds pass between two looks at the streams."""
