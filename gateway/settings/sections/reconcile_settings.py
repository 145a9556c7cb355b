"""Defines the section `[reconcile]`."""

from typing import Annotated

from msgspec import Meta

from gateway.settings.sections.kinds import NotNegative, Port, Positive, Seconds, Section

__all__ = ["ReconcileSettings"]


class ReconcileSettings(Section, frozen=True, kw_only=True):
    """[reconcile]: the process that finds what the receiver missed; docs/missed-events.md."""

    host: str = "127.0.0.1"
    """The address of the listener for `/healthz`, `/readyz` and `/metrics`."""
    port: Port = 0
    """Its port; 0 is a free one, told in the log."""
    grace_s: Seconds = 20.0
    """How many seconds a stopping process gives what it has in hand."""
    lease_s: Annotated[float, Meta(ge=2)] = 10.0
    """How many seconds after the death of the leading process another one takes over."""
    max_portals_at_once: Positive = 256
    """How many portals have a turn at the same time at each of four duties, at most. There are 32
    such places, and more where many portals or slow ones would else not be through in half of the
    duty's interval; portals that do not answer have a quarter of 32 to themselves."""
    every_s: Seconds = 300.0
    """How many seconds pass between two looks at a portal's queue that has not called for one."""
    settle_s: Seconds = 60.0
    """A change is looked for so many seconds after it happened, so that a slow delivery is not
    taken for a missed one."""
    tolerance_s: NotNegative = 2.0
    """By how many seconds an event's time may lie before that of its row in the queue."""
    spool_patience_s: Seconds = 3600.0
    """For how many seconds a receiver that is not heard of any more is waited for: what it has
    accepted may be in its spool."""
    sweep_every_s: Seconds = 1800.0
    """How many seconds pass between two looks at the comments of a portal that has no queue."""
    sweep_entities: Annotated[int, Meta(ge=1, le=10_000)] = 200
    """The comments of how many entities (deals, contacts, …) of such a portal are looked at: of
    those that were last heard of."""
    sweep_days: Seconds = 14.0
    """For how many days an entity that is not heard of is looked at."""
    sweep_calls: Positive = 10
    """How many requests one look may take; fifty lists of fifty comments go in one."""
    silence_every_s: Seconds = 60.0
    """How many seconds pass between two looks at whether a portal is still heard."""
    silence_probability: Annotated[float, Meta(gt=0, lt=1)] = 1e-5
    """A silence is alarming that is less probable than this, going by the portal's usual rhythm."""
    silence_min_s: Seconds = 1800.0
    """… and that has lasted so many seconds."""
    silence_learn_days: Annotated[float, Meta(gt=0)] = 7.0
    """For how many days a portal is only listened to, before a silence can be alarming."""
    silence_asks: bool = True
    """Whether a portal with the application is asked for a test event first: if that comes, there
    just is nothing to tell."""
    check_every_s: Seconds = 3600.0
    """How many seconds pass between two questions to a portal: what is bound, and may we call."""
    warn_token_days: NotNegative = 30.0
    """How many days before the end of a portal's refresh token a warning is given."""
    alert_every_s: Seconds = 15.0
    """How many seconds pass between two looks at groups and the balance; what two of them in a row
    have seen is an alert, and is over when two in a row have not."""
    alert_behind_s: Seconds = 900.0
    """A group is behind whose oldest entry is older than so many seconds."""
