"""Defines the section `[consumers]`."""

from typing import Annotated

from msgspec import Meta

from gateway.settings.sections.kinds import Port, Positive, Seconds, Section

__all__ = ["ConsumersSettings"]


class ConsumersSettings(Section, frozen=True, kw_only=True):
    """[consumers]: what every consumer's process has, whichever consumer it is."""

    host: str = "127.0.0.1"
    """The address of the listener for `/healthz`, `/readyz` and `/metrics`."""
    port: Port = 0
    """Its port; 0 is a free one, told in the log, so that several consumers share a machine."""
    grace_s: Seconds = 20.0
    """How many seconds a stopping consumer gives the handlers under way."""
    lease_s: Annotated[float, Meta(ge=2)] = 6.0
    """How many seconds after the death of a process another one takes over its partitions."""
    stuck_s: Seconds = 300.0
    """How many seconds without a read or the end of an attempt turn `/healthz` red."""
    max_dead_letters: Positive = 100_000
    """About how many dead letters of a partition are kept, the newest."""
