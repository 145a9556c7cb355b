"""What `gateway up` starts, and with which settings: a function of the settings. Pure."""

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec

from gateway.processes.supervisor import Child
from gateway.sandbox.portal import SANDBOX
from gateway.settings import Notifier, PortalSettings, Route, Settings
from gateway.settings.masking import masked

__all__ = [
    "CONSUMERS",
    "NAMES",
    "RECEIVER",
    "RECONCILER",
    "can_call_portals",
    "demo_settings",
    "environment",
    "tiers",
    "welcome",
]

RECEIVER: Final = "receiver"
RECONCILER: Final = "reconcile"
CONSUMERS: Final = ("audit", "warehouse", "notifier")
NAMES: Final = ("redis", *CONSUMERS, RECONCILER, RECEIVER)

# The exit code of gateway.commandline for what an operator has to mend.
_FATAL: Final = {2: "what to mend is said above"}


def demo_settings(settings: Settings, *, sink_url: str) -> Settings:
    """The same with the sandbox portal registered, and notifications sent to `sink_url` at once.

    The notifier's own settings are left out: nobody wants the demo's notifications, one a second.
    """
    sandbox = PortalSettings(
        member_id=SANDBOX.member_id,
        domain=SANDBOX.domain,
        application_tokens=(SANDBOX.application_token,),
    )
    others = [portal for portal in settings.portals if portal.member_id != SANDBOX.member_id]
    return msgspec.structs.replace(
        settings,
        portals=(*others, sandbox),
        notifier=Notifier(
            allow_networks=("127.0.0.1/32",),
            routes=(Route(name="demo", urls=(sink_url,), window_s=0),),
        ),
    )


def can_call_portals(settings: Settings) -> bool:
    """Whether portals can be asked what they have told: by an application, or by a webhook."""
    return bool(settings.bitrix24.client_id) or any(one.rest_webhook for one in settings.portals)


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


def tiers(
    config: str | None,
    variables: Mapping[str, str],
    *,
    redis: Child | None,
    receiver_ready: Callable[[], Awaitable[None]],
    with_reconciler: bool,
) -> Sequence[Sequence[Child]]:
    """Redis if it is ours, then the consumers and the reconciler, then the receiver, which so is
    stopped first.
    """
    options = () if config is None else ("--config", config)

    def ours(name: str, package: str, *command: str) -> Child:
        argv = (sys.executable, "-m", package, *options, *command)
        return Child(name=name, argv=argv, env=variables, fatal=_FATAL)

    receiver = ours(RECEIVER, "gateway", "serve")
    behind = [ours(name, "consumers", "run", name) for name in CONSUMERS]
    if with_reconciler:
        behind.append(ours(RECONCILER, "gateway", "reconcile"))
    return (
        (redis,) if redis is not None else (),
        tuple(behind),
        (msgspec.structs.replace(receiver, ready=receiver_ready),),
    )


def welcome(
    settings: Settings, *, command: str, own_redis: str | None, with_demo: bool
) -> Sequence[str]:
    """What a person should know when everything runs; without secrets."""
    shown = masked(settings)
    redis = f"{shown['redis']['url']} ({own_redis}, files in var/redis)" if own_redis else None
    portals = len(settings.portals)
    lines = [
        "everything runs",
        f"  events from Bitrix24   POST {settings.http.local_url}",
        f"  health and metrics     {settings.admin.local_url}/healthz",
        f"  Redis                  {redis or shown['redis']['url']}",
        f"  registered portals     {portals or 'none: every request will be refused'}",
        f"  missed events          {_missed(settings)}",
        f"  key of the quarantine  {', '.join(shown['vault']['keys']) or 'none: no quarantine'}",
        f"  audit log              {settings.audit.dir}/",
        f"  warehouse              {shown['warehouse']['destination']}",
    ]
    url = f"GATEWAY_REDIS_URL={shown['redis']['url']} " if own_redis else ""
    lines += [
        "in another terminal:",
        f"  {url}{command} tail",
        f"  {command} trigger comment.updated --url {settings.http.local_url}",
    ]
    if with_demo:
        lines.append("the demo: a comment of a sandbox portal is updated once a second")
    return (*lines, "Ctrl-C stops everything")


def _missed(settings: Settings) -> str:
    if can_call_portals(settings):
        return "looked for by gateway reconcile"
    return "not looked for: no [bitrix24] client_id, and no rest_webhook of a portal"


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
