"""The settings of every process: one frozen tree, read once.

A TOML file (`--config`, else `GATEWAY_CONFIG`, else `./gateway.toml` if there is one), then the
environment, where `[section] key` is `GATEWAY_SECTION_KEY`. Lists and tables in the environment
are JSON; a list of plain words may also be separated by commas.
"""

from gateway.settings.loading import SettingsError, is_given, load, resolve_secret
from gateway.settings.tree import (
    Admin,
    Audit,
    Bitrix24,
    Consumers,
    Http,
    Notifier,
    PortalSettings,
    Publish,
    Quarantine,
    Redis,
    Retention,
    Route,
    Settings,
    Spool,
    Vault,
    Warehouse,
)

__all__ = [
    "Admin",
    "Audit",
    "Bitrix24",
    "Consumers",
    "Http",
    "Notifier",
    "PortalSettings",
    "Publish",
    "Quarantine",
    "Redis",
    "Retention",
    "Route",
    "Settings",
    "SettingsError",
    "Spool",
    "Vault",
    "Warehouse",
    "is_given",
    "load",
    "resolve_secret",
]
