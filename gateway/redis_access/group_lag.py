"""Decides how many entries a group has not been given yet, by what the server says of it. Pure."""

from gateway.contract import EntryId

__all__ = ["right_lag"]


def right_lag(
    *, lag: int | None, length: int, delivered_id: str, first_id: str | None, last_id: str
) -> int | None:
    """The number of entries not delivered yet; None where they have to be counted.

    The server's own is missing after deletions, and on some versions counts what was trimmed; at
    both ends of the stream it can be told without it. https://github.com/redis/redis/pull/13338
    """
    if not length or EntryId.of(delivered_id) >= EntryId.of(last_id):
        return 0
    if first_id is not None and EntryId.of(delivered_id) < EntryId.of(first_id):
        return length
    return None if lag is None else min(lag, length)
