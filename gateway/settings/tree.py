"""The tree of settings: every section and key, its type, bounds and default."""

from typing import Annotated

from msgspec import Meta, Struct

from gateway.contract import Streams
from gateway.logs import LogSettings

__all__ = [
    "Admin",
    "Audit",
    "Http",
    "Notifier",
    "PortalSettings",
    "Publish",
    "Redis",
    "Route",
    "Settings",
    "Spool",
    "Vault",
    "Warehouse",
]

Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]


class _Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all sections share: immutable, by keyword, unknown keys refused."""


class Redis(_Section, frozen=True, kw_only=True):
    """[redis]: where the streams are. `partitions` is fixed for the life of an installation."""

    url: Annotated[str, Meta(pattern=r"^(rediss?|unix)://")] = "redis://127.0.0.1:6379/0"
    prefix: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]+$")] = "b24"
    partitions: Annotated[int, Meta(ge=1, le=1024)] = 1

    @property
    def streams(self) -> Streams:
        """The names of the streams that these settings lead to."""
        return Streams(prefix=self.prefix, partitions=self.partitions)


class Http(_Section, frozen=True, kw_only=True):
    """[http]: the public listener."""

    host: str = "127.0.0.1"
    port: Port = 8080
    path: Annotated[str, Meta(pattern=r"^/")] = "/bitrix24/events"
    max_body: Positive = 65536
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    grace_s: Seconds = 20.0


class Admin(_Section, frozen=True, kw_only=True):
    """[admin]: the listener for operators; keep it on loopback or behind a proxy."""

    host: str = "127.0.0.1"
    port: Port = 8081


class Publish(_Section, frozen=True, kw_only=True):
    """[publish]: what `stored` means, and how long a request may wait for it."""

    ack: Annotated[str, Meta(pattern=r"^(written|fsynced|replicated:[1-9][0-9]?)$")] = "written"
    deadline_s: Seconds = 2.0
    max_queued: Positive = 20_000


class Spool(_Section, frozen=True, kw_only=True):
    """[spool]: where events wait on this machine while Redis is away."""

    dir: str = "var/spool"
    max_bytes: Positive = 1 << 30


class Vault(_Section, frozen=True, kw_only=True):
    """[vault]: Fernet keys, newest first, as values, `env:NAME` or `file:/path`."""

    keys: tuple[str, ...] = ()


class Audit(_Section, frozen=True, kw_only=True):
    """[audit]: the audit consumer's log."""

    dir: str = "var/audit"


class Warehouse(_Section, frozen=True, kw_only=True):
    """[warehouse]: where the warehouse consumer loads to."""

    destination: str = "duckdb:///var/warehouse.duckdb"


class Route(_Section, frozen=True, kw_only=True):
    """[[notifier.routes]]: Apprise URLs, as values, `env:NAME` or `file:/path`."""

    urls: Annotated[tuple[str, ...], Meta(min_length=1)]
    name: str = ""


class Notifier(_Section, frozen=True, kw_only=True):
    """[notifier]: who is told of what."""

    routes: tuple[Route, ...] = ()


class PortalSettings(_Section, frozen=True, kw_only=True):
    """[[portals]]: a portal that may send, and its tokens (values, `env:NAME` or `file:/path`)."""

    member_id: Annotated[str, Meta(min_length=1, max_length=64)]
    domain: str
    application_tokens: Annotated[tuple[str, ...], Meta(min_length=1)]


class Settings(_Section, frozen=True, kw_only=True):
    """Everything that can be set; each section and key is documented in docs/settings.md."""

    redis: Redis = Redis()
    http: Http = Http()
    admin: Admin = Admin()
    publish: Publish = Publish()
    spool: Spool = Spool()
    vault: Vault = Vault()
    audit: Audit = Audit()
    warehouse: Warehouse = Warehouse()
    notifier: Notifier = Notifier()
    log: LogSettings = LogSettings()
    portals: tuple[PortalSettings, ...] = ()
