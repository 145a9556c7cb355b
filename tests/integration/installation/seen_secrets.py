"""What servers and portals were asked with, and the secrets that none of them may have seen."""

from gateway.sandbox.assembly import Sandbox
from gateway.sandbox.live_portal import LivePortal


def secrets_of(sandbox: Sandbox) -> list[str]:
    """All tokens that a server has given out, and its application's key."""
    return [*sandbox.grants.tokens(), sandbox.application.client_secret]


def seen_by(asked: Sandbox | LivePortal) -> str:
    """All that a portal, or a server, was ever asked with."""
    calls = asked.calls if isinstance(asked, LivePortal) else asked.authorization.calls
    return str([call.parameters for call in calls])
