"""The section `[reconcile]`."""

from typing import Annotated

from msgspec import Meta

from gateway.settings.sections.kinds import Port, Positive, Seconds, Section

__all__ = ["Reconcile"]


class Reconcile(Section, frozen=True, kw_only=True):
    """[reconcile]: the process that finds what the receiver missed; docs/missed-events.md."""

    host: str = "127.0.0.1"
    """The address of the listener for `/healthz`, `/readyz` and `/metrics`."""
    port: Port = 0
    """Its port; 0 is a free one, told in the log."""
    grace_s: Seconds = 20.0
    """How many seconds a stopping process gives what it has in hand."""
    lease_s: Annotated[float, Meta(ge=2)] = 10.0
    """How many seconds after the death of the leading process another one takes over."""
    max_portals_at_once: Positive = 32
    """How many portals are looked after at the same time."""
