"""Says what can keep an event from being stored, and whether it may be stored all the same."""

from gateway.errors import GatewayError

__all__ = ["CannotStore", "SpoolUnavailable", "StreamUnavailable"]


class CannotStore(GatewayError):
    """An event cannot be stored now; answered 503. `reason` is a short code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class StreamUnavailable(GatewayError):
    """Redis did not confirm a batch at the configured durability.

    The batch may have been written: only the same batch, with the same sequence number, may be
    tried again. `reason` is `away` (no answer), `refused` (Redis said no: out of memory,
    read-only, no permission), `not_durable` (written, but not confirmed by disk or replicas) or
    `sealed`: it was not written, and never will be there, for the partition is a former one.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class SpoolUnavailable(GatewayError):
    """The spool cannot take or give anything now; `reason` is `full`, `busy` or `broken`;
    for who only looks into it, `absent` or `unreadable`.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
