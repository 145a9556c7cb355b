"""Makes the rows of `gateway portals list`: a portal's tokens, and what is known of it."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from msgspec import Struct

from gateway.bitrix24.applications import host_of
from gateway.commands.row_output import Row
from gateway.contract import timestamps
from gateway.portals.application_tokens import shown
from gateway.portals.directory import portals_of
from gateway.portals.facts import Facts
from gateway.portals.registry import Registration
from gateway.settings import Settings

__all__ = ["rows_of"]

_UNKNOWN = Facts()


def rows_of(
    settings: Settings, registrations: Iterable[Registration], facts: Mapping[str, Facts]
) -> list[Row]:
    """A row for each token, those of the settings first; then portals with data to be erased.

    Raises SettingsError for a token of the settings that cannot be read.
    """
    webhooks = {portal.member_id for portal in settings.portals if portal.rest_webhook}
    tokens = [*_settled(settings), *_learnt(registrations)]
    listed = {token.member_id for token in tokens}
    tokens += (
        _Token(member_id=member_id, domain=known.domain)
        for member_id, known in facts.items()
        if known.erasure_due_since is not None and member_id not in listed
    )
    return [_row(token, facts.get(token.member_id, _UNKNOWN), webhooks) for token in tokens]


class _Token(Struct, frozen=True, kw_only=True):
    """A token as it is registered; without digest and source, a portal that has none any more."""

    member_id: str
    domain: str
    digest: bytes | None = None
    source: str | None = None
    added_at: datetime | None = None


def _settled(settings: Settings) -> Iterator[_Token]:
    for portal in portals_of(settings.portals):
        for digest in portal.digests:
            yield _Token(
                member_id=portal.member_id, domain=portal.domain, digest=digest, source="settings"
            )


def _learnt(registrations: Iterable[Registration]) -> Iterator[_Token]:
    for one in registrations:
        yield _Token(
            member_id=one.member_id,
            domain=one.domain,
            digest=one.digest,
            source="redis",
            added_at=one.added_at,
        )


def _row(token: _Token, known: Facts, webhooks: set[str]) -> Row:
    is_of_application = token.digest is not None and token.digest.hex() == known.digest
    return {
        "member_id": token.member_id,
        "domain": token.domain,
        "token_digest": None if token.digest is None else shown(token.digest),
        "token_of": "application" if is_of_application else None,
        "source": token.source,
        "added_at": _time(token.added_at),
        "access": _access(token.member_id, known, webhooks),
        "application": (known.client_id or None) if known.is_installed else None,
        "authorization_server": (host_of(known.server) or None) if known.is_installed else None,
        "installed_at": _time(known.installed_at) if known.is_installed else None,
        "erasure_due_since": _time(known.erasure_due_since),
        "endpoint": known.endpoint or None,
    }


def _access(member_id: str, known: Facts, webhooks: set[str]) -> str | None:
    """By which right a portal is called; a webhook of the settings goes before the application."""
    if member_id in webhooks:
        return "webhook"
    return "application" if known.is_installed else None


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else timestamps.seconds_of(moment)
