"""The audit log: every event, once, in files that nobody can change unnoticed."""

from consumers import Consumer
from gateway.settings import Settings

__all__ = ["build"]


def build(settings: Settings) -> Consumer:
    """The audit consumer. Raises OperatorError for a signing key that cannot be used."""
    from consumers.audit.consumer import consumer_of  # noqa: PLC0415 - needs no name alone

    return consumer_of(settings)
