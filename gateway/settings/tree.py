"""The tree of settings: every section and key, its type, bounds, default and meaning.

The text under a key says what it means; docs/settings.md is made of it. A value that is a secret
has the type `Secret`, a URL that may hold a password `SecretUrl`: gateway.settings.masking goes by
these.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gateway.contract import Streams
from gateway.logs import LogSettings

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
    "Secret",
    "SecretUrl",
    "Settings",
    "Spool",
    "Vault",
    "Warehouse",
]

Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Secret = Annotated[str, Meta(extra={"secret": "whole"})]
"""The secret itself, or better a reference to it: `env:NAME` or `file:/path`."""
SecretUrl = Annotated[str, Meta(extra={"secret": "password"})]
"""A URL in which a password may stand."""


class _Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all sections share: immutable, by keyword, unknown keys refused."""


class Redis(_Section, frozen=True, kw_only=True):
    """[redis]: where the streams are. `partitions` is fixed for the life of an installation."""

    url: Annotated[SecretUrl, Meta(pattern=r"^(rediss?(\+sentinel|\+cluster)?|unix)://")] = (
        "redis://127.0.0.1:6379/0"
    )
    """The server: `redis://`, `rediss://` (TLS) or `unix://`, with user and password if it asks;
    or `redis+sentinel://host:port,host:port/service`, or `redis+cluster://host:port,host:port`."""
    prefix: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]+$")] = "b24"
    """What the names of all streams begin with; two installations can share one server by it."""
    partitions: Annotated[int, Meta(ge=1, le=1024)] = 1
    """Into how many streams events are spread; one process of a group works on each at a time."""

    @property
    def streams(self) -> Streams:
        """The names of the streams that these settings lead to."""
        return Streams(prefix=self.prefix, partitions=self.partitions)


class Http(_Section, frozen=True, kw_only=True):
    """[http]: the public listener, which Bitrix24 posts to."""

    host: str = "127.0.0.1"
    """The address to listen on; `0.0.0.0` for all, when no proxy stands in front."""
    port: Port = 8080
    """The port to listen on."""
    path: Annotated[str, Meta(pattern=r"^/")] = "/bitrix24/events"
    """The only path that answers; part of the URL that a portal's administrator pastes."""
    max_body: Positive = 65536
    """The largest body in bytes; a larger one is answered 413. Real ones stay under 1 KiB."""
    header_timeout_s: Seconds = 10.0
    """How many seconds a new connection may take until its first request's headers are there."""
    body_timeout_s: Seconds = 10.0
    """How many seconds a body may take after its headers."""
    keepalive_s: Seconds = 75.0
    """How many seconds a connection may be idle between requests."""
    max_connections: Annotated[int, Meta(ge=1)] = 1000
    """How many connections a process has at most; a further one takes the place of an idle one."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks of proxies whose `X-Forwarded-For` is believed, as `10.1.2.0/24`."""
    allow_mode: Literal["off", "dry_run", "enforce"] = "off"
    """Whether only allowed networks may deliver; `dry_run` tells who would be refused."""
    allow_networks: tuple[str, ...] = ()
    """Addresses and networks that may deliver, as `192.0.2.7` or `10.1.2.0/24`."""
    allow_source: Annotated[str, Meta(pattern=r"^(?!http://)")] = ""
    """A file, or an `https://` URL, with more of them in JSON or text; read again when it changes.
    Bitrix24's own: `https://dl.bitrix24.com/webhook/app-world.json`."""
    allow_refresh_s: Annotated[float, Meta(ge=60)] = 300.0
    """How many seconds lie between two looks at a URL; Bitrix24 asks for 300 to 600."""
    alarm_per_minute: Annotated[int, Meta(ge=0)] = 3000
    """A portal that sends more events a minute is told of, and nothing else; 0 for never."""
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    """How many processes share the port."""
    grace_s: Seconds = 20.0
    """How many seconds a stopping receiver gives the requests under way."""

    @property
    def local_url(self) -> str:
        """Where a delivery is sent to from this machine."""
        return f"{_local_url(self.host, self.port)}{self.path}"


class Admin(_Section, frozen=True, kw_only=True):
    """[admin]: the listener for operators; keep it on loopback or behind a proxy."""

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: Port = 8081
    """The port to listen on."""

    @property
    def local_url(self) -> str:
        """Where it is reached from this machine."""
        return _local_url(self.host, self.port)


class Publish(_Section, frozen=True, kw_only=True):
    """[publish]: what `stored` means, and how long a request may wait for it."""

    ack: Annotated[str, Meta(pattern=r"^(written|fsynced|replicated:[1-9][0-9]?)$")] = "written"
    """When an event is stored: `written` to Redis, `fsynced` on its disk, `replicated:<n>`."""
    deadline_s: Seconds = 2.0
    """How many seconds a request may wait for Redis before it is answered otherwise."""
    max_queued: Positive = 20_000
    """How many events may wait for Redis at once; beyond that, requests are answered 503."""


class Spool(_Section, frozen=True, kw_only=True):
    """[spool]: where events wait on this machine while Redis is away."""

    dir: str = "var/spool"
    """The directory; on a disk that survives a restart."""
    max_bytes: Positive = 1 << 30
    """The largest size of the spool in bytes; when it is full, requests are answered 503."""


class Retention(_Section, frozen=True, kw_only=True):
    """[retention]: how long the streams keep events; docs/retention.md."""

    days: NotNegative = 7.0
    """An event stays for so many days at least, and until every group has acknowledged it."""
    non_holding_groups: tuple[str, ...] = ()
    """Groups that events do not wait for: what they have not read in time is removed, and told."""
    warn_held_days: NotNegative = 1.0
    """A group that has not acknowledged an event for so many days is warned of."""
    max_memory_share: Annotated[float, Meta(gt=0, le=1)] = 0.9
    """From this share of Redis' `maxmemory` on, new events wait in the spool."""
    every_s: Seconds = 10.0
    """How many seconds pass between two looks at the streams."""


class Vault(_Section, frozen=True, kw_only=True):
    """[vault]: the keys that encrypt what the gateway keeps of secrets."""

    keys: tuple[Secret, ...] = ()
    """Fernet keys, newest first; without any, the gateway keeps no secrets at all."""


class Quarantine(_Section, frozen=True, kw_only=True):
    """[quarantine]: keeping deliveries whose token is not registered; needs [vault] keys."""

    max_deliveries: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    """How many are kept for a portal, the oldest; half of them at most with the same token."""
    kept_s: Annotated[float, Meta(ge=60, le=604_800)] = 604_800.0
    """How many seconds they are kept; at most a week."""


class Bitrix24(_Section, frozen=True, kw_only=True):
    """[bitrix24]: the application in whose name portals are called, and how often they are."""

    authorization_server: Annotated[
        str, Meta(pattern=r"^(https://|http://(127\.0\.0\.1|localhost|\[::1\])(:|/|$))")
    ] = "https://oauth.bitrix.info/"
    """Where tokens are refreshed; `https://oauth.bitrix24.tech/` for portals in the regions of
    Russia, Belarus, Kazakhstan and their neighbours. No other is asked, whatever a body says."""
    client_id: str = ""
    """The application's id (`client_id`, `app.…` or `local.…`); without one, portals are called by
    their `rest_webhook` only."""
    client_secret: Secret = ""
    """The application's key (`client_secret`)."""
    requests_per_s: Seconds = 2.0
    """How many requests a second a portal takes for long: 2, in the Enterprise plan 5. All
    processes together keep to it."""
    burst: Positive = 50
    """How many requests at once a portal takes: 50, in the Enterprise plan 250. A tenth of it is
    kept free."""
    request_timeout_s: Seconds = 65.0
    """How many seconds one request may take; a portal in the cloud ends it after 60."""
    call_timeout_s: Seconds = 120.0
    """How many seconds a call may wait for its turn and be tried again."""
    max_answer_bytes: Positive = 16 << 20
    """The largest answer in bytes that is read."""


class Consumers(_Section, frozen=True, kw_only=True):
    """[consumers]: what every consumer's process has, whichever consumer it is."""

    host: str = "127.0.0.1"
    """The address of the listener for `/healthz`, `/readyz` and `/metrics`."""
    port: Port = 0
    """Its port; 0 is a free one, told in the log, so that several consumers share a machine."""
    grace_s: Seconds = 20.0
    """How many seconds a stopping consumer gives the handlers under way."""
    lease_s: Annotated[float, Meta(ge=2)] = 6.0
    """How many seconds after the death of a process another one takes over its partitions."""
    stuck_s: Seconds = 300.0
    """How many seconds without a read or the end of an attempt turn `/healthz` red."""
    max_dead_letters: Positive = 100_000
    """About how many dead letters of a partition are kept, the newest."""


class Audit(_Section, frozen=True, kw_only=True):
    """[audit]: the audit consumer's log."""

    dir: str = "var/audit"
    """The directory of the log; one process writes to each partition's part of it."""
    signing_key: Secret = ""
    """An Ed25519 key in PEM (`consumers audit keygen` makes one); empty: chained, not signed."""
    former_keys: tuple[str, ...] = ()
    """Public keys that signed this log before, in hexadecimal; `unsigned` if none did."""
    checkpoint_every: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    """At most so many records come between two checkpoints."""
    checkpoint_every_s: Seconds = 60.0
    """At most so long, in seconds, a record waits for a checkpoint."""
    compress: bool = True
    """Whether files of past days are compressed."""
    kept_days: Annotated[int, Meta(ge=0)] = 0
    """Files older than so many days are removed, leaving a tombstone; 0 keeps them for ever."""


class Warehouse(_Section, frozen=True, kw_only=True):
    """[warehouse]: where the warehouse consumer loads to."""

    destination: SecretUrl = "duckdb:///var/warehouse.duckdb"
    """`duckdb:///<path>`, `postgres://user:password@host/database`, or one of docs/warehouse.md."""
    dataset: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")] = "bitrix24"
    """The schema (in BigQuery the dataset, in an object store the directory) of the tables."""
    stream: Annotated[str, Meta(pattern=r"^(events|comments)$")] = "events"
    """What is loaded: `events`, or `comments`, which the enricher gave the comments' texts."""
    max_events: Positive = 10_000
    """The largest number of events of one load."""
    max_wait_s: Seconds = 5.0
    """How many seconds an event waits at most for others to be loaded with it."""
    work_dir: str = "var/warehouse"
    """Where files wait on their way to the destination; emptied at each start."""


class Route(_Section, frozen=True, kw_only=True):
    """[[notifier.routes]]: somebody who is told of events, which of them, and how."""

    urls: Annotated[tuple[Secret, ...], Meta(min_length=1)]
    """Where to: Apprise URLs. Each is delivered to by itself: a dead one delays no other."""
    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]*$", max_length=64)] = ""
    """What logs, metrics and keys in Redis call this route; without one its number, from 1."""
    events: tuple[str, ...] = ("bitrix24.crm.timeline.comment.*",)
    """Only events of these types; `*` stands for any text."""
    portals: tuple[str, ...] = ()
    """Only events of these portals, by `member_id` or domain."""
    entity_types: tuple[str, ...] = ()
    """Only comments on these: `lead`, `deal`, `contact`, `company`, … Needs stream `comments`."""
    entity_ids: tuple[int, ...] = ()
    """Only comments on the entities with these ids. Needs stream `comments`."""
    authors: tuple[int, ...] = ()
    """Only comments whose author is one of these users. Needs stream `comments`."""
    users: tuple[int, ...] = ()
    """Only events that one of these users caused."""
    words: tuple[str, ...] = ()
    """Only comments with one of these words or phrases in their text. Needs stream `comments`."""
    language: Literal["en", "ru"] = "en"
    """The language of the templates that the route does not replace."""
    title: str = ""
    """A Jinja2 template for the title, or `file:/path` of one."""
    body: str = ""
    """A Jinja2 template for the body, or `file:/path` of one."""
    digest_title: str = ""
    """A Jinja2 template for the title of a message about several comments, or `file:/path`."""
    digest_body: str = ""
    """A Jinja2 template for the body of a message about several comments, or `file:/path`."""
    window_s: NotNegative = 10.0
    """For how many seconds edits of one comment are gathered into one notification."""
    digest_minutes: Annotated[int, Meta(ge=0, le=1440)] = 0
    """One message every so many minutes, counted from midnight; 0 for one for each comment."""
    quiet_hours: Annotated[str, Meta(pattern=r"^(\d\d:\d\d-\d\d:\d\d)?$")] = ""
    """`22:00-07:00`: what happens in these hours comes as one message at their end."""
    time_zone: str = "UTC"
    """The time zone of quiet hours, digests and times in messages, as `Europe/Berlin`."""
    max_per_hour: Annotated[int, Meta(ge=0)] = 0
    """The most messages an hour; what is held back comes as one message after it. 0 for no cap."""
    timeout_s: Seconds = 10.0
    """How many seconds a target may take to answer, unless its URL says otherwise (`rto`)."""
    max_backlog: Positive = 10_000
    """How many notifications may wait for a target; beyond that, the oldest are given up."""
    max_age_s: Seconds = 86_400.0
    """How many seconds a notification may be late before it is given up."""
    after_crash: Literal["resend", "drop"] = "resend"
    """What becomes of a message whose sending a crash cut off: it may have arrived, or not."""


class Notifier(_Section, frozen=True, kw_only=True):
    """[notifier]: who is told of what."""

    stream: Literal["events", "comments"] = "events"
    """Which stream to read: `comments` carries the texts, and needs a running enricher."""
    deliver: Literal["all", "first"] = "all"
    """Whether an event goes to all routes that match, or to the first one only."""
    own_users: tuple[str, ...] = ()
    """Users whose events nobody is told of, such as an integration's: `7`, or `<member_id>/7`."""
    allow_private: bool = False
    """Whether targets may be in private networks or on this machine."""
    allow_networks: tuple[str, ...] = ()
    """Private networks that targets may be in, as `10.1.2.0/24`."""
    routes: tuple[Route, ...] = ()
    """The routes, each a table `[[notifier.routes]]`."""


class PortalSettings(_Section, frozen=True, kw_only=True):
    """[[portals]]: a portal that may send."""

    member_id: Annotated[str, Meta(min_length=1, max_length=64)]
    """The portal's own id, `auth[member_id]` in what it sends; it outlives a change of domain."""
    domain: str
    """The portal's address, for people."""
    application_tokens: Annotated[tuple[Secret, ...], Meta(min_length=1)]
    """The tokens that its deliveries may carry: one for each application or outgoing webhook."""
    rest_webhook: Secret = ""
    """The URL of an inbound webhook, `https://<portal>/rest/<user>/<code>/`, by which the portal is
    called if it has no application."""


class Settings(_Section, frozen=True, kw_only=True):
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
    consumers: Consumers = Consumers()
    audit: Audit = Audit()
    warehouse: Warehouse = Warehouse()
    notifier: Notifier = Notifier()
    log: LogSettings = LogSettings()
    portals: tuple[PortalSettings, ...] = ()


def _local_url(host: str, port: int) -> str:
    """A listener on all addresses is reached on loopback."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://{f'[{reached}]' if ':' in reached else reached}:{port}"
