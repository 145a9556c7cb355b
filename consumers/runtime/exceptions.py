"""Lets a handler say how an entry failed, by what it raises.

Any other exception is taken for a mistake: a bounded number of attempts, then a dead letter.
"""

__all__ = ["Declined", "Reject", "Transient"]


class Transient(Exception):
    """The entry is fine, but something that the handler needs is away: try again later.

    Burns no attempt. `retry_after_s` is the wait in seconds that the other side asked for; without
    it the runtime backs off by itself. What is away is away `for_all`, if the handler knows that:
    then the whole partition pauses at once, and not when several subjects have failed in a row.
    `is_told` says that the handler's author logs it: each attempt's line has the level debug then.
    """

    def __init__(
        self,
        message: str = "",
        *,
        retry_after_s: float | None = None,
        for_all: bool = False,
        is_told: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.for_all = for_all
        self.is_told = is_told


class Declined(Exception):
    """What the handler hands the entry on to does not take this one: a failed attempt as others.

    It is no mistake of the handler's, so that no traceback is logged.
    """


class Reject(Exception):
    """The entry can never be handled: it becomes a dead letter at once, with this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
