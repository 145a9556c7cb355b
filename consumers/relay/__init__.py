"""Pushes events to services over HTTP: each endpoint a consumer group of its own, in one process.

An endpoint that is slow, broken or paused delays no other. What is sent and how it is signed stands
in gateway.webhooks; here is decided when, and what follows the answer.
"""

from consumers.runtime.consumer_set import ConsumerSet
from gateway.settings import Settings

__all__ = ["build"]


def build(settings: Settings) -> ConsumerSet:
    """The relay; raises OperatorError naming every endpoint and key that cannot work."""
    from consumers.relay.consumer import relay_of  # noqa: PLC0415

    return relay_of(settings)
