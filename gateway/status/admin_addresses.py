"""Knows where processes of this machine answer probes, as far as the settings say. No I/O."""

from msgspec import Struct

from gateway.settings import Settings

__all__ = ["ProbedProcess", "addresses_in"]


class ProbedProcess(Struct, frozen=True, kw_only=True):
    """What answered at an address, or did not; `why_not` is why it is not ready, as it says, and
    `is_ready` None if it did not say so in time.
    """

    name: str
    address: str
    answers: bool
    is_ready: bool | None = None
    why_not: str | None = None


def addresses_in(settings: Settings) -> dict[str, str]:
    """The admin addresses that the settings name, by what should be there."""
    places = {
        "receiver": (settings.admin.host, settings.admin.port),
        "reconcile": (settings.reconcile.host, settings.reconcile.port),
        "consumer": (settings.consumers.host, settings.consumers.port),
    }
    return {name: f"{host}:{port}" for name, (host, port) in places.items() if port}
