"""Defines the section `[enricher]`."""

from gateway.settings.sections.kinds import NotNegative, Positive, Seconds, Section

__all__ = ["EnricherSettings"]


class EnricherSettings(Section, frozen=True, kw_only=True):
    """[enricher]: fetching what comments look like, once for all consumers; docs/enricher.md."""

    give_up_after_s: Seconds = 600.0
    """For how many seconds comments wait for a portal that is out of reach or at its limit; then
    they go out without their text, until it answers again."""
    refetch_after_s: Seconds = 60.0
    """How many seconds later a comment that went out without its text is asked for again; after
    that in growing distances."""
    refetch_days: NotNegative = 2.0
    """For how many days; 0 for not at all."""
    max_refetch: Positive = 10_000
    """How many such comments are kept for each partition; beyond that, those asked for most often
    are given up."""
    snapshot_days: NotNegative = 30.0
    """For how many days it is remembered, encrypted, who wrote a comment and what about, for when
    it is deleted; needs [vault] keys. 0 for not at all."""
