"""Says why a delivery is not admitted; the sender, or whoever set the portal up, has to act."""

from gateway.errors import GatewayError

__all__ = ["DeliveryError", "Forbidden", "Malformed"]


class DeliveryError(GatewayError):
    """A delivery that is not admitted; `reason` is a short code for logs and counters."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Malformed(DeliveryError):
    """The body says nothing that can be understood; answered 400."""


class Forbidden(DeliveryError):
    """The sender is not who it claims to be; answered 403, always alike.

    `member_id` and `event` are what the sender claimed, and not to be believed; they are empty
    where none came.
    """

    def __init__(self, reason: str, member_id: str, event: str = "") -> None:
        super().__init__(reason)
        self.member_id = member_id
        self.event = event
