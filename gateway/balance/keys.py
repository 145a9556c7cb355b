"""Names the keys in which the balance is kept.

    b24:balance:{p}             hash: `published` and `once`, events that receivers, and others who
                                publish each event once, have put on this partition of `events`
    b24:balance:<group>:{p}     hash: what became of the entries of a group there
    b24:balance:doors           hash: a spool's id -> JSON of DoorReport
    b24:balance:hours           hash: an hour -> JSON of HourRecord (gateway.balance.hours)
    b24:balance:missing-since   hash: where events are missing -> since when (ms)
    b24:balance:written-off     hash: where events were missing -> how many an operator wrote off

The first two share the slot of their partition; none of them ends.
"""

__all__ = [
    "balance_key",
    "doors_key",
    "group_balance_key",
    "missing_since_key",
    "written_off_key",
]


def balance_key(prefix: str, partition: int) -> str:
    """What was put on a partition of `events`."""
    return f"{prefix}:balance:{{{partition}}}"


def group_balance_key(prefix: str, group: str, partition: int) -> str:
    """What became of a group's entries on a partition."""
    return f"{prefix}:balance:{group}:{{{partition}}}"


def doors_key(prefix: str) -> str:
    """What receivers have accepted, by their spools."""
    return f"{prefix}:balance:doors"


def missing_since_key(prefix: str) -> str:
    """Since when events are missing."""
    return f"{prefix}:balance:missing-since"


def written_off_key(prefix: str) -> str:
    """What was missing and was written off."""
    return f"{prefix}:balance:written-off"
