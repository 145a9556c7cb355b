"""The tree of settings: every section of it; what a section has stands in a module of its own.

The text under a key says what it means; docs/settings.md is made of it. A value that is a secret
has the type `Secret`, a URL that may hold a password `SecretUrl`: gateway.settings.masking goes by
these.
"""

from gateway.settings.sections.admin import Admin
from gateway.settings.sections.audit import Audit
from gateway.settings.sections.bitrix24 import Bitrix24
from gateway.settings.sections.consumers import Consumers
from gateway.settings.sections.enricher import Enricher
from gateway.settings.sections.http import Http
from gateway.settings.sections.kinds import Section
from gateway.settings.sections.log import Log
from gateway.settings.sections.notifier import Notifier
from gateway.settings.sections.portals import PortalSettings
from gateway.settings.sections.publish import Publish
from gateway.settings.sections.quarantine import Quarantine
from gateway.settings.sections.reconcile import Reconcile
from gateway.settings.sections.redis import Redis
from gateway.settings.sections.retention import Retention
from gateway.settings.sections.spool import Spool
from gateway.settings.sections.vault import Vault
from gateway.settings.sections.warehouse import Warehouse

__all__ = ["Settings"]


class Settings(Section, frozen=True, kw_only=True):
    """Everything that can be set; each section and key is documented in docs/settings.md."""

    redis: Redis = Redis()
    http: Http = Http()
    admin: Admin = Admin()
    publish: Publish = Publish()
    spool: Spool = Spool()
    retention: Retention = Retention()
    vault: Vault = Vault()
    quarantine: Quarantine = Quarantine()
    bitrix24: Bitrix24 = Bitrix24()
    reconcile: Reconcile = Reconcile()
    consumers: Consumers = Consumers()
    enricher: Enricher = Enricher()
    audit: Audit = Audit()
    warehouse: Warehouse = Warehouse()
    notifier: Notifier = Notifier()
    log: Log = Log()
    portals: tuple[PortalSettings, ...] = ()

    @property
    def handler_url(self) -> str:
        """Where portals are told to deliver to; empty where nobody says."""
        root = self.bitrix24.public_url.rstrip("/")
        return f"{root}{self.http.path}" if root else ""
