"""Holds the settings of every process: one frozen tree, read once.

A TOML file (`--config`, else `GATEWAY_CONFIG`, else `./gateway.toml` if there is one), then the
environment, where `[section] key` is `GATEWAY_SECTION_KEY`. Lists and tables in the environment
are JSON; a list of plain words may also be separated by commas.
"""

from gateway.errors import SettingsError
from gateway.secret_references import resolve_secret
from gateway.settings.loading import is_given, load, settings_file
from gateway.settings.running_up import load_here
from gateway.settings.sections.admin_settings import AdminSettings
from gateway.settings.sections.audit_settings import AuditSettings
from gateway.settings.sections.bitrix24_settings import ApplicationSettings, Bitrix24Settings
from gateway.settings.sections.console_settings import ConsoleSettings
from gateway.settings.sections.consumers_settings import ConsumersSettings
from gateway.settings.sections.enricher_settings import EnricherSettings
from gateway.settings.sections.event_settings import EventSettings
from gateway.settings.sections.feed_settings import FeedSettings, FeedTokenSettings
from gateway.settings.sections.http_settings import HttpSettings
from gateway.settings.sections.log_settings import LogSettings
from gateway.settings.sections.notifier_settings import NotifierSettings, RouteSettings
from gateway.settings.sections.portal_settings import PortalSettings
from gateway.settings.sections.publish_settings import PublishSettings
from gateway.settings.sections.quarantine_settings import QuarantineSettings
from gateway.settings.sections.reconcile_settings import ReconcileSettings
from gateway.settings.sections.redis_settings import RedisSettings
from gateway.settings.sections.relay_settings import EndpointSettings, RelaySettings
from gateway.settings.sections.retention_settings import RetentionSettings
from gateway.settings.sections.spool_settings import SpoolSettings
from gateway.settings.sections.vault_settings import VaultSettings
from gateway.settings.sections.warehouse_settings import WarehouseSettings
from gateway.settings.tree import Settings

__all__ = [
    "AdminSettings",
    "ApplicationSettings",
    "AuditSettings",
    "Bitrix24Settings",
    "ConsoleSettings",
    "ConsumersSettings",
    "EndpointSettings",
    "EnricherSettings",
    "EventSettings",
    "FeedSettings",
    "FeedTokenSettings",
    "HttpSettings",
    "LogSettings",
    "NotifierSettings",
    "PortalSettings",
    "PublishSettings",
    "QuarantineSettings",
    "ReconcileSettings",
    "RedisSettings",
    "RelaySettings",
    "RetentionSettings",
    "RouteSettings",
    "Settings",
    "SettingsError",
    "SpoolSettings",
    "VaultSettings",
    "WarehouseSettings",
    "is_given",
    "load",
    "load_here",
    "resolve_secret",
    "settings_file",
]
