"""Who may send: the portals of the settings, kept as digests of their tokens."""

from collections.abc import Iterable

from msgspec import Struct

from gateway.portals.verification import NO_DIGESTS, digest_of, is_genuine
from gateway.settings import PortalSettings, resolve_secret

__all__ = ["Directory", "Portal", "portals_of"]


class Portal(Struct, frozen=True, kw_only=True):
    """A registered portal. It may send with several tokens: the application's, each webhook's,
    and during a rotation the old one and the new one.
    """

    member_id: str
    domain: str
    digests: tuple[bytes, ...]


class Directory:
    """The registered portals, in memory: looking one up never does I/O."""

    def __init__(self, portals: Iterable[Portal] = ()) -> None:
        self._portals = {portal.member_id: portal for portal in portals}

    def find(self, member_id: str) -> Portal | None:
        """The portal of this id, if it is registered."""
        return self._portals.get(member_id)

    def verify(self, member_id: str, application_token: str | None) -> Portal | None:
        """The portal of this id, if the token is one of its tokens.

        Takes the same time for an unknown portal as for a known one with one token.
        """
        portal = self._portals.get(member_id)
        digests = portal.digests if portal is not None else NO_DIGESTS
        return portal if is_genuine(application_token, digests) else None

    def __len__(self) -> int:
        return len(self._portals)


def portals_of(settings: Iterable[PortalSettings]) -> list[Portal]:
    """The portals of the settings, their tokens resolved; raises SettingsError."""
    return [
        Portal(
            member_id=portal.member_id,
            domain=portal.domain,
            digests=tuple(
                digest_of(resolve_secret(token, name=f"[[portals]] {portal.member_id}"))
                for token in portal.application_tokens
            ),
        )
        for portal in settings
    ]
