"""In which order what waits is taken up. Pure."""

from collections import Counter
from collections.abc import Collection

from gateway.installation.journal import Name

__all__ = ["next_in_turn"]


def next_in_turn(
    names: Collection[Name], tried: Collection[Name], kinds: Collection[str]
) -> Name | None:
    """Which of the tasks that wait to take up now, of those not tried in this round; None if none.

    Whoever has a portal's token goes first, in the order of receipt. Of the installations that
    anybody can claim, the client has its turn who has had the fewest, with its newest claim: so
    one that is genuine waits for one claim of each forger, however many he sends.
    """
    turns = Counter(name.client for name in tried if name.kind == "install")
    open_ones = [
        name
        for name in names
        if name.kind in kinds
        and name not in tried
        and not any(name.waits_for(other) for other in names)
    ]
    sure = [name for name in open_ones if name.kind != "install"]
    if sure:
        return min(sure)
    fewest = min((turns[name.client] for name in open_ones), default=0)
    return max((name for name in open_ones if turns[name.client] == fewest), default=None)
