"""Lets a handler say how an entry failed, by what it raises.

Any other exception is taken for a mistake: a bounded number of attempts, then a dead letter.
"""

__all__ = ["Reject", "Transient"]


class Transient(Exception):
    """The entry is fine, but something that the handler needs is away: try again later.

    Burns no attempt. `retry_after_s` is the wait in seconds that the other side asked for; without
    it the runtime backs off by itself.
    """

    def __init__(self, message: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Reject(Exception):
    """The entry can never be handled: it becomes a dead letter at once, with this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
