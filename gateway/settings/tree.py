"""Puts the sections together to the tree of settings; what a section has stands in a module of its
own.

The text under a key says what it means; docs/settings.md is made of it. A value that is a secret
has the type `Secret`, a URL that may hold a password `SecretUrl`: gateway.settings.masking goes by
these.
"""

from gateway.event_subscription import EventSubscription
from gateway.settings.sections.admin_settings import AdminSettings
from gateway.settings.sections.audit_settings import AuditSettings
from gateway.settings.sections.bitrix24_settings import Bitrix24Settings
from gateway.settings.sections.console_settings import ConsoleSettings
from gateway.settings.sections.consumers_settings import ConsumersSettings
from gateway.settings.sections.enricher_settings import EnricherSettings
from gateway.settings.sections.event_settings import EventSettings
from gateway.settings.sections.feed_settings import FeedSettings
from gateway.settings.sections.http_settings import HttpSettings
from gateway.settings.sections.kinds import Section
from gateway.settings.sections.log_settings import LogSettings
from gateway.settings.sections.notifier_settings import NotifierSettings
from gateway.settings.sections.portal_settings import PortalSettings
from gateway.settings.sections.publish_settings import PublishSettings
from gateway.settings.sections.quarantine_settings import QuarantineSettings
from gateway.settings.sections.reconcile_settings import ReconcileSettings
from gateway.settings.sections.redis_settings import RedisSettings
from gateway.settings.sections.relay_settings import RelaySettings
from gateway.settings.sections.retention_settings import RetentionSettings
from gateway.settings.sections.spool_settings import SpoolSettings
from gateway.settings.sections.vault_settings import VaultSettings
from gateway.settings.sections.warehouse_settings import WarehouseSettings

__all__ = ["Settings"]


class Settings(Section, frozen=True, kw_only=True):
    """Everything that can be set; each section and key is documented in docs/settings.md."""

    redis: RedisSettings = RedisSettings()
    http: HttpSettings = HttpSettings()
    admin: AdminSettings = AdminSettings()
    console: ConsoleSettings = ConsoleSettings()
    publish: PublishSettings = PublishSettings()
    spool: SpoolSettings = SpoolSettings()
    retention: RetentionSettings = RetentionSettings()
    vault: VaultSettings = VaultSettings()
    quarantine: QuarantineSettings = QuarantineSettings()
    bitrix24: Bitrix24Settings = Bitrix24Settings()
    reconcile: ReconcileSettings = ReconcileSettings()
    consumers: ConsumersSettings = ConsumersSettings()
    enricher: EnricherSettings = EnricherSettings()
    audit: AuditSettings = AuditSettings()
    warehouse: WarehouseSettings = WarehouseSettings()
    notifier: NotifierSettings = NotifierSettings()
    relay: RelaySettings = RelaySettings()
    feed: FeedSettings = FeedSettings()
    log: LogSettings = LogSettings()
    portals: tuple[PortalSettings, ...] = ()
    events: tuple[EventSettings, ...] = ()

    @property
    def handler_url(self) -> str:
        """Where portals are told to deliver to; empty where nobody says."""
        root = self.bitrix24.public_url.rstrip("/")
        return f"{root}{self.http.path}" if root else ""

    @property
    def subscription(self) -> EventSubscription:
        """Which events are taken, made anew at each call; raises SettingsError."""
        return EventSubscription(self.events)
