"""Fetches what a comment looks like from its portal, once for all consumers.

Reads `events` and writes every one of them to `comments`: those of comments with `data.comment`,
all others as they are. reach.py decides when a portal is asked, fetching.py asks, enriching.py
makes an event of what is known, snapshots.py remembers comments for when they are deleted, and
refetching.py tries again what could not be had.
"""

from consumers import Consumer
from gateway.settings import Settings

__all__ = ["build"]


def build(settings: Settings) -> Consumer:
    """The enricher; raises OperatorError for credentials, keys and methods that cannot be used."""
    from consumers.enricher.consumer import consumer_of  # noqa: PLC0415 - needs no name alone
    from consumers.enricher.fetch_rules import FetchRules  # noqa: PLC0415

    return consumer_of(settings, FetchRules.of(settings.events))
