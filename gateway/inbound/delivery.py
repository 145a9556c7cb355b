"""Keeps what Bitrix24 sent as it came: the unit that is admitted, kept in the quarantine, or
refused.
"""

from msgspec import Struct

__all__ = ["Delivery"]


class Delivery(Struct, frozen=True, gc=False):
    """A body as it came, and when; `receipt_id` is the id of the event that it may become."""

    member_id: str
    receipt_id: str
    received_ms: int
    body: bytes

    def __repr__(self) -> str:
        """Without the body, in which tokens stand."""
        return f"Delivery(receipt_id={self.receipt_id!r}, …)"
