"""The settings of every process: one frozen tree, read once.

A TOML file (`--config`, else `GATEWAY_CONFIG`, else `./gateway.toml` if there is one), then the
environment, where `[section] key` is `GATEWAY_SECTION_KEY`. Lists and tables in the environment
are JSON; a list of plain words may also be separated by commas.
"""

from gateway.errors import SettingsError
from gateway.secret_references import resolve_secret
from gateway.settings.loading import is_given, load
from gateway.settings.sections.admin import Admin
from gateway.settings.sections.audit import Audit
from gateway.settings.sections.bitrix24 import Application, Bitrix24
from gateway.settings.sections.consumers import Consumers
from gateway.settings.sections.enricher import Enricher
from gateway.settings.sections.http import Http
from gateway.settings.sections.notifier import Notifier, Route
from gateway.settings.sections.portals import PortalSettings
from gateway.settings.sections.publish import Publish
from gateway.settings.sections.quarantine import Quarantine
from gateway.settings.sections.reconcile import Reconcile
from gateway.settings.sections.redis import Redis
from gateway.settings.sections.retention import Retention
from gateway.settings.sections.spool import Spool
from gateway.settings.sections.vault import Vault
from gateway.settings.sections.warehouse import Warehouse
from gateway.settings.tree import Settings

__all__ = [
    "Admin",
    "Application",
    "Audit",
    "Bitrix24",
    "Consumers",
    "Enricher",
    "Http",
    "Notifier",
    "PortalSettings",
    "Publish",
    "Quarantine",
    "Reconcile",
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
