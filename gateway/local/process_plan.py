"""Decides what `gateway up` starts, and with which settings: a function of the settings. Pure."""

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec

from gateway.local.demo_settings import FEED_TOKEN
from gateway.processes.child import Child
from gateway.settings import Settings
from gateway.settings.masking import masked
from gateway.webhooks.push_endpoints import group_of

__all__ = [
    "CONSUMERS",
    "NAMES",
    "can_call_portals",
    "consumers_of",
    "environment",
    "listening_ports",
    "shared_modules",
    "streams_read",
    "tiers",
    "welcome",
]

RECEIVER: Final = "receiver"
CONSUMERS: Final = ("audit", "enricher", "warehouse", "notifier")
RECONCILER: Final = "reconcile"
_PORT_OF: Final = {RECONCILER: "GATEWAY_RECONCILE_PORT"}
_PORT_OF_CONSUMERS: Final = "GATEWAY_CONSUMERS_PORT"
_RELAY: Final = "relay"
_FEED: Final = "feed"
_ALL: Final = (*CONSUMERS, _RELAY, _FEED)
NAMES: Final = ("redis", *_ALL, RECONCILER, RECEIVER)

# Loaded once for all processes; named, since they are started by name, too. What loads into the
# warehouse is none of them: it is a process that comes and goes, and imports for itself.
_SHARED: Final = (
    "gateway.commands.serve",
    "gateway.commands.reconcile",
    "consumers.commands.run",
    "consumers.runtime.consumer_main",
    "consumers.audit.consumer",
    "consumers.enricher.consumer",
    "consumers.warehouse.consumer",
    "cryptography.fernet",  # there is a key of the vault in any case
)
# The exit code of gateway.commandline for what an operator has to mend.
_FATAL: Final = {2: "what to mend is said above"}


def consumers_of(settings: Settings) -> tuple[str, ...]:
    """The consumers that have something to do: events are pushed where there are endpoints, and
    served where there are tokens.
    """
    idle = {_RELAY: not settings.relay.endpoints, _FEED: not settings.feed.tokens}
    return tuple(name for name in _ALL if not idle.get(name))


def can_call_portals(settings: Settings) -> bool:
    """Whether portals can be asked what they have told: by an application, or by a webhook."""
    return bool(settings.bitrix24.listed) or any(one.rest_webhook for one in settings.portals)


def streams_read(settings: Settings) -> dict[str, str]:
    """Which stream each consumer's group is on."""
    return dict.fromkeys(CONSUMERS, "events") | {
        "warehouse": settings.warehouse.stream,
        "notifier": settings.notifier.stream,
        **{group_of(endpoint.name): endpoint.stream for endpoint in settings.relay.endpoints},
    }


def environment(given: Settings, wanted: Settings) -> dict[str, str]:
    """The variables that make `wanted` of `given`."""
    variables = {}
    for section in Settings.__struct_fields__:
        before, after = getattr(given, section), getattr(wanted, section)
        if not isinstance(after, msgspec.Struct):
            if before != after:
                variables[f"GATEWAY_{section}".upper()] = _text(after)
            continue
        for key in after.__struct_fields__:
            if getattr(before, key) != getattr(after, key):
                variables[f"GATEWAY_{section}_{key}".upper()] = _text(getattr(after, key))
    return variables


def shared_modules(settings: Settings, *, with_demo: bool) -> Sequence[str]:
    """What the processes import at their start, or most of them: Apprise where it has a use."""
    notifies = settings.notifier.routes or with_demo
    pushes = settings.relay.endpoints or with_demo
    return (
        *_SHARED,
        f"consumers.notifier.{'notice_handler' if notifies else 'without_routes'}",
        *(("consumers.relay.consumer",) if pushes else ()),
        *(("consumers.feed.feed_process",) if settings.feed.tokens or with_demo else ()),
    )


def tiers(
    config: str | None,
    variables: Mapping[str, str],
    *,
    consumers: Sequence[str],
    ports: Mapping[str, int],
    redis: Child | None,
    receiver_ready: Callable[[], Awaitable[None]],
) -> Sequence[Sequence[Child]]:
    """Redis if it is ours, then all that works behind it, then the receiver, stopped first.

    `ports` are those of health and metrics of what works behind, by name.
    """
    options = () if config is None else ("--config", config)

    def ours(name: str, package: str, *command: str) -> Child:
        argv = (sys.executable, "-m", package, *options, *command)
        port = {_PORT_OF.get(name, _PORT_OF_CONSUMERS): str(ports[name])} if name in ports else {}
        return Child(name=name, argv=argv, env={**variables, **port}, fatal=_FATAL)

    receiver = ours(RECEIVER, "gateway", "serve")
    behind = [ours(name, "consumers", "run", name) for name in consumers]
    # Without access to any portal, too: whether portals are heard is learnt from what they send.
    behind.append(ours(RECONCILER, "gateway", "reconcile"))
    return (
        (redis,) if redis is not None else (),
        tuple(behind),
        (msgspec.structs.replace(receiver, ready=receiver_ready),),
    )


def listening_ports(settings: Settings, is_taken: Callable[[str, int], bool]) -> dict[str, int]:
    """A port for health and metrics of each process behind the receiver, by its name.

    They follow that of [admin], or begin at [consumers] port, in an order that does not change. One
    that is taken is left out: that process takes any that is free, and says so.
    """
    first = settings.reconcile.port or settings.admin.port + 1
    begins = settings.consumers.port or settings.admin.port + 2
    wanted = {
        RECONCILER: (settings.reconcile.host, first),
        **{
            name: (settings.consumers.host, begins + number)
            for number, name in enumerate(_ALL)
            if name in consumers_of(settings)
        },
    }
    return {name: port for name, (host, port) in wanted.items() if not is_taken(host, port)}


def welcome(
    settings: Settings, *, command: str, own_redis: str | None, with_demo: bool
) -> Sequence[str]:
    """What a person should know when everything runs; without secrets."""
    shown = masked(settings)
    redis = f"{shown['redis']['url']} ({own_redis}, files in var/redis)" if own_redis else None
    nobody = "none: every request will be refused"
    if settings.bitrix24.listed:
        nobody = "none yet: those that install the application"
    lines = [
        "everything runs",
        f"  events from Bitrix24   POST {settings.http.local_url}",
        f"  health and metrics     {settings.admin.local_url}/healthz",
        f"  the console            {settings.admin.local_url}/console/",
        f"  Redis                  {redis or shown['redis']['url']}",
        f"  registered portals     {len(settings.portals) or nobody}",
        f"  missed events          {_missed(settings)}",
        f"  key of the quarantine  {', '.join(shown['vault']['keys']) or 'none: no quarantine'}",
        f"  audit log              {settings.audit.dir}/",
        f"  warehouse              {shown['warehouse']['destination']}",
    ]
    if settings.feed.tokens:
        lines.append(f"  the feed               GET {settings.feed.local_url}/events")
    lines += [
        "in another terminal, in this directory:",
        f"  {command} status",
        f"  {command} tail",
        f"  {command} trigger comment.updated --url {settings.http.local_url}",
    ]
    if with_demo:
        stream = f"{settings.feed.local_url}/events/stream"
        lines += [
            f"  curl -N -H 'Authorization: Bearer {FEED_TOKEN}' {stream}",
            "the demo: once a second a comment, a deal or a task is edited in a sandbox portal",
        ]
    return (*lines, "Ctrl-C stops everything")


def _missed(settings: Settings) -> str:
    if can_call_portals(settings):
        return "looked for by gateway reconcile"
    return "not looked for: no [bitrix24] client_id, and no rest_webhook of a portal"


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
