"""Says what came of opening the page, as far as it is to be shown."""

from collections.abc import Iterable
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct

from gateway.bitrix24.bindings import Bound
from gateway.contract import APP_INSTALLED, wire_name_of

__all__ = [
    "InstallConnected",
    "InstallOutcome",
    "InstallPostponed",
    "InstallRefused",
    "is_opened_at",
]

Queue: TypeAlias = Literal["bound", "not_in_plan", "failed"]


class InstallConnected(Struct, frozen=True, kw_only=True):
    """The portal is confirmed, and its tokens are kept.

    `handler` is where it is to deliver to, empty where the settings do not say. `bound` is what was
    bound; None if nothing could be, for the reason in `trouble`. `events` are what it is to deliver
    of itself, beside what it tells the application of that.
    """

    domain: str
    origins: tuple[str, ...]
    has_token: bool
    handler: str
    events: tuple[str, ...]
    bound: Bound | None = None
    trouble: str = ""

    @property
    def is_delivering(self) -> bool:
        """Whether the portal delivers every event that is subscribed to."""
        return self.bound is not None and all(
            event in self._online(self.bound) for event in self.events
        )

    @property
    def queue(self) -> Queue:
        """Whether changes wait in the portal's queue, too."""
        return "failed" if self.bound is None else self.bound.queue

    @property
    def learns_token(self) -> bool:
        """Whether the portal will tell the application token, which it has not told yet."""
        return (
            not self.has_token
            and self.bound is not None
            and wire_name_of(APP_INSTALLED) in self._online(self.bound)
        )

    @property
    def can_finish(self) -> bool:
        """Whether Bitrix24 is to take the application for installed.

        Before that it delivers nothing, so what is bound later would be of no use; but what it
        delivers is of no use where the application token is not known and will not be.
        """
        return self.has_token or self.learns_token

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to be done."""
        return self.can_finish and self.is_delivering and self.queue != "failed"

    @staticmethod
    def _online(bound: Bound) -> set[str]:
        return {binding.event for binding in bound.bound if not binding.is_offline}


class InstallRefused(Struct, frozen=True):
    """Nobody confirms the installation, or somebody else does than is meant.

    `domain` is where the portal is, if the page was opened elsewhere.
    """

    reason: str
    domain: str = ""


class InstallPostponed(Struct, frozen=True):
    """It cannot be confirmed or kept now."""

    reason: str


InstallOutcome: TypeAlias = InstallConnected | InstallRefused | InstallPostponed


def is_opened_at(domain: str, origins: Iterable[str]) -> bool:
    """Whether the page was opened in a portal at `domain`, as its query says, of these origins.

    The BX24 script talks to whoever is there.
    """
    return any(
        _host(domain, origin) == _host(urlsplit(origin).netloc, origin) for origin in origins
    )


def _host(domain: str, origin: str) -> str:
    """Without the port that everybody takes for granted."""
    default = ":443" if origin.startswith("https:") else ":80"
    return domain.lower().removesuffix(default)
