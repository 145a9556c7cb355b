"""Decides in which order what waits is taken up. Pure."""

from collections import Counter
from collections.abc import Collection

from gateway.installation.journal import Name

__all__ = ["next_in_turn"]


def next_in_turn(
    names: Collection[Name], tried: Collection[Name], kinds: Collection[str]
) -> Name | None:
    """Which of the tasks that wait to take up now, of those not tried in this round; None if none.

    Its party has had the fewest turns: the client that claims an installation, or the portal whose
    token it came with. So one that is genuine waits for one task of each other party, however many
    they send. Among equals those with a token go first, and then the newest.
    """
    turns = Counter(name.party for name in tried)
    open_ones = [
        name
        for name in names
        if name.kind in kinds
        and name not in tried
        and not any(name.waits_for(other) for other in names)
    ]
    return min(
        sorted(open_ones, reverse=True),
        key=lambda name: (turns[name.party], name.kind == "install"),
        default=None,
    )
