"""Knows who may send: the portals of the settings and those learnt since, as digests of their
tokens.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from gateway.errors import OperatorError, SettingsError
from gateway.portals.application_tokens import NO_DIGEST, digest_of, is_genuine
from gateway.settings import PortalSettings, resolve_secret

__all__ = ["Directory", "Portal", "chosen", "portals_of", "shown_portals_of"]


class Portal(Struct, frozen=True, kw_only=True):
    """A registered portal. It may send with several tokens: the application's, each webhook's,
    and during a rotation the old one and the new one.
    """

    member_id: str
    domain: str
    digests: tuple[bytes, ...]


class _Slots(Struct, frozen=True, gc=False):
    """What a claim is compared with; `digests` are as many for every portal, and for none."""

    portal: Portal | None
    digests: tuple[bytes, ...]


class Directory:
    """Holds the registered portals in memory: looking one up never does I/O.

    `settled` portals are those of the settings, learnt ones are replaced by `learn`. A portal that
    is both may send with the tokens of both, and is called as the settings say.
    """

    def __init__(self, settled: Iterable[Portal] = ()) -> None:
        self._settled = _merged(settled)
        self.learn(())

    def settle(self, portals: Iterable[Portal]) -> None:
        """Replace the settled portals by these; learnt ones have to be learnt again after it.

        Until then everybody may send who might before, and besides those who are new.
        """
        self._settled = _merged(portals)
        width = max((len(one.digests) for one in self._settled.values()), default=0)
        if width > self._width:
            self._fill({one.member_id: one for one in self}, width)
        for member_id in self._settled.keys() - self._slots.keys():
            settled = self._settled[member_id]
            self._slots[member_id] = _Slots(settled, _filled(settled.digests, self._width))

    def learn(self, portals: Iterable[Portal]) -> None:
        """Replace all learnt portals by these."""
        known = _merged((*self._settled.values(), *portals))
        self._fill(known, max((len(portal.digests) for portal in known.values()), default=1))

    def learn_some(self, portals: Iterable[Portal]) -> None:
        """Replace these learnt portals, one of each id, or add them; the others stay.

        Claims are compared with no fewer digests than before, whatever becomes of the portal that
        had most.
        """
        for portal in portals:
            settled = self._settled.get(portal.member_id)
            known = _merged(one for one in (settled, portal) if one is not None)[portal.member_id]
            if len(known.digests) > self._width:
                self._fill({one.member_id: one for one in self}, len(known.digests))
            self._slots[known.member_id] = _Slots(known, _filled(known.digests, self._width))

    def forget_others(self, member_ids: AbstractSet[str]) -> None:
        """Forget the learnt portals whose ids are not among these."""
        for member_id in self._slots.keys() - member_ids:
            settled = self._settled.get(member_id)
            if settled is None:
                del self._slots[member_id]
            else:
                self._slots[member_id] = _Slots(settled, _filled(settled.digests, self._width))

    def _fill(self, known: Mapping[str, Portal], width: int) -> None:
        # Everybody is compared with as many digests as the portal that has most, so that time
        # tells neither who is registered, nor how many tokens there are, nor which one it was.
        self._width = width
        self._slots = {
            member_id: _Slots(portal, _filled(portal.digests, width))
            for member_id, portal in known.items()
        }
        self._nobody = _Slots(None, _filled((), width))

    def find(self, member_id: str) -> Portal | None:
        """The portal of this id, if it is registered."""
        return self._slots.get(member_id, self._nobody).portal

    def verify(self, member_id: str, application_token: str | None) -> Portal | None:
        """The portal of this id, if the token is one of its tokens.

        Takes the same time for every portal and every token, for those that are not known, too.
        """
        slots = self._slots.get(member_id, self._nobody)
        return slots.portal if is_genuine(application_token, slots.digests) else None

    def __len__(self) -> int:
        return len(self._slots)

    def __iter__(self) -> Iterator[Portal]:
        return (slots.portal for slots in self._slots.values() if slots.portal is not None)


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


def shown_portals_of(settings: Iterable[PortalSettings]) -> list[Portal]:
    """The portals of the settings for whoever looks at them, and judges no delivery.

    A token that this process is not given counts all the same; nothing that is sent equals it.
    """
    return [
        Portal(
            member_id=portal.member_id,
            domain=portal.domain,
            digests=tuple(_shown(token) for token in portal.application_tokens),
        )
        for portal in settings
    ]


def _shown(token: str) -> bytes:
    try:
        return digest_of(resolve_secret(token, name="a token"))
    except SettingsError:
        return secrets.token_bytes(len(NO_DIGEST))


def _merged(portals: Iterable[Portal]) -> dict[str, Portal]:
    """One portal for each id; the first names it, all of them give it tokens."""
    merged: dict[str, Portal] = {}
    for portal in portals:
        first = merged.get(portal.member_id, portal)
        merged[portal.member_id] = Portal(
            member_id=portal.member_id,
            domain=first.domain,
            digests=tuple(dict.fromkeys((*first.digests, *portal.digests))),
        )
    return merged


def _filled(digests: tuple[bytes, ...], width: int) -> tuple[bytes, ...]:
    return digests + (NO_DIGEST,) * (width - len(digests))


def chosen(portals: Sequence[Portal], name: str | None) -> list[Portal]:
    """Those that are meant by a member id or a domain; raises OperatorError if there are none."""
    found = [one for one in portals if name in (None, one.member_id, one.domain)]
    if name is not None and not found:
        raise OperatorError(f"--portal {name}: not registered; see `gateway portals list`")
    return found
