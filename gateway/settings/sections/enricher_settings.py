"""Defines the section `[enricher]`."""

from gateway.settings.sections.kinds import NotNegative, Positive, Seconds, Section

__all__ = ["EnricherSettings"]


class EnricherSettings(Section, frozen=True, kw_only=True):
    """[enricher]: fetching comments and other objects, once for all consumers; docs/enricher.md."""

    give_up_after_s: Seconds = 600.0
    """For how many seconds events wait for a portal that is out of reach or at its limit; then
    they go out without text and fields, until it answers again."""
    refetch_after_s: Seconds = 60.0
    """How many seconds later an object whose event went out without it is asked for again; after
    that in growing distances."""
    refetch_days: NotNegative = 2.0
    """For how many days; 0 for not at all."""
    max_refetch: Positive = 10_000
    """How many such events are kept for each partition; beyond that, those asked for most often
    are given up."""
    snapshot_days: NotNegative = 30.0
    """For how many days it is remembered, encrypted, whose a comment or another object was, for
    when it is deleted; needs [vault] keys. 0 for not at all."""
