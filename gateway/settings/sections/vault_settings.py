"""Defines the section `[vault]`."""

from gateway.settings.sections.kinds import Secret, Section

__all__ = ["VaultSettings"]


class VaultSettings(Section, frozen=True, kw_only=True):
    """[vault]: the keys that encrypt what the gateway keeps of secrets."""

    keys: tuple[Secret, ...] = ()
    """Fernet keys, newest first; without any, the gateway keeps no secrets at all."""
