"""Says why the application is not installed, or not yet; `reason` is a short code for logs."""

from gateway.errors import GatewayError

__all__ = ["InstallationDelayed", "NotConfirmed"]


class NotConfirmed(GatewayError):
    """Whoever says so did not install the application; saying it again cannot help.

    `domain` is where the portal is, if that is what was wrong and is known.
    """

    def __init__(self, reason: str, *, domain: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.domain = domain


class InstallationDelayed(GatewayError):
    """It cannot be told or done now: nothing is wrong with the installation itself."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
