"""`gateway portals check` shows how portals stand, and what to mend."""

import asyncio
from collections.abc import Sequence
from time import time
from typing import Any, Final

import click

from gateway import logs
from gateway.bitrix24.applications import host_of
from gateway.commandline import settings_of
from gateway.contract import timestamps
from gateway.ops.answer_times import answering
from gateway.ops.text_tables import table
from gateway.portal_health.standing import (
    MISSED_DAYS,
    PortalFault,
    PortalStanding,
    faults_of,
    some_of,
)
from gateway.settings import Settings
from gateway.terminal import json_line, printable

__all__ = ["command"]

_HEAD: Final = (
    *("PORTAL", "MEMBER ID", "TOKENS", "REST", "APPLICATION", "GRANT", "BOUND", "QUEUE"),
    *("LAST EVENT", "USUAL", "HEARD", "MISSED", "QUARANTINE", "VERDICT"),
)


@click.command("check")
@click.option("--portal", metavar="ID", help="Only this one, by member id or domain.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per portal.")
@click.pass_context
def command(context: click.Context, *, portal: str | None, as_json: bool) -> None:
    r"""How portals stand: reachable, bound, heard; and what to mend.

    Asks each portal, and changes nothing. Ends with 1 if something must be mended. REST is by what
    it is called, GRANT how long its refresh token lasts, BOUND how many events it is asked for,
    QUEUE what waits there, USUAL how many events come in such an hour, HEARD for how long that was
    learnt, MISSED what was found afterwards. More: docs/portals.md.

    \b
    gateway portals check
    gateway portals check --portal acme.bitrix24.com --json
    """
    settings = settings_of(context)
    logs.configure(settings.log, process="portals")  # refused tokens are told, and not on stdout
    now = time()
    standings, is_cared_for = asyncio.run(_look(settings, portal))
    warn_token_s = settings.reconcile.warn_token_days * 86400
    faults = {
        one.member_id: faults_of(one, now=now, warn_token_s=warn_token_s) for one in standings
    }
    if as_json:
        for one in standings:
            about = _object(one, faults[one.member_id]) | {"is_looked_after": is_cared_for}
            click.echo(json_line(about))
    elif not standings:
        click.echo("no portals are registered")
    else:
        learn_s = settings.reconcile.silence_learn_days * 86400
        well = "well" if is_cared_for else "not looked after"
        rows = [
            _row(one, faults[one.member_id], now=now, learn_s=learn_s, well=well)
            for one in standings
        ]
        click.echo(table(_HEAD, rows))
        for one in standings:
            _echo_faults(one, faults[one.member_id])
    if not is_cared_for:
        click.echo(
            "nobody looks after portals: no process of `gateway reconcile` runs", err=as_json
        )
    context.exit(0 if is_cared_for and not any(faults.values()) else 1)


async def _look(settings: Settings, name: str | None) -> tuple[list[PortalStanding], bool]:
    # What calls portals is imported by those who call them, not by those who list them.
    from gateway.doctor.portal_look import look_at_portals  # noqa: PLC0415

    async with answering(settings.redis) as redis:
        return await look_at_portals(redis, settings, name)


def _row(
    one: PortalStanding, faults: Sequence[PortalFault], *, now: float, learn_s: float, well: str
) -> tuple[object, ...]:
    heard = one.heard
    return (
        one.domain or None,
        one.member_id,
        one.tokens,
        _rest(one),
        _application(one),
        None if one.renewed_at is None else _span(now - one.renewed_at),
        _bound(one),
        _queue(one),
        None if heard.last_event_at is None else f"{_span(now - heard.last_event_at)} ago",
        None if heard.usual_per_hour is None else f"{heard.usual_per_hour:.0f}/h",
        _silence(one, learn_s=learn_s),
        heard.missed,
        heard.quarantined,
        f"{len(faults)} to mend" if faults else well,
    )


def _rest(one: PortalStanding) -> str:
    if one.access == "none":
        return "not called"
    if one.answers.refusal is None:
        return f"ok ({one.access})"
    return "no answer" if one.answers.is_down else "refused"


def _application(one: PortalStanding) -> str | None:
    if not one.application:
        return None
    return printable(f"{one.application} ({host_of(one.server or '')})")


def _bound(one: PortalStanding) -> str | None:
    bound = one.answers.bound
    return None if bound is None else f"{bound}/{bound + len(one.answers.missing)}"


def _queue(one: PortalStanding) -> str | None:
    if one.answers.no_queue is not None:
        return "none"
    waiting = one.answers.queue
    return None if waiting is None else f"{waiting} waiting" if waiting else "empty"


def _silence(one: PortalStanding, *, learn_s: float) -> str:
    if "silent" in one.troubles:
        return "silent"
    if one.heard.listened_s < learn_s:
        return f"learning, {100 * one.heard.listened_s / learn_s:.0f} %"
    return "yes"


def _echo_faults(one: PortalStanding, faults: Sequence[PortalFault]) -> None:
    if faults or one.answers.extra:
        click.echo(f"\n{printable(one.domain or one.member_id)}:")
    for fault in faults:
        click.echo(f"  {printable(fault.what)}\n    -> {printable(fault.remedy)}")
    if one.answers.extra:
        click.echo(
            f"  bound, and not taken: {some_of(one.answers.extra)}\n"
            "    -> take them ([[events]]), or unbind them: `gateway events remove`"
        )
    if one.answers.elsewhere:
        elsewhere = ", ".join(one.answers.elsewhere)
        click.echo(printable(f"  events are also delivered to {elsewhere}"))


def _object(one: PortalStanding, faults: Sequence[PortalFault]) -> dict[str, Any]:
    answers, heard = one.answers, one.heard
    return {
        "member_id": one.member_id,
        "domain": one.domain,
        "endpoint": one.endpoint,
        "tokens": one.tokens,
        "access": one.access,
        "application": one.application,
        "authorization_server": host_of(one.server or "") or None,
        "rest": "not called" if one.access == "none" else answers.refusal or "ok",
        "grant_renewed_at": _time(one.renewed_at),
        "bound": answers.bound,
        "missing": answers.missing,
        "extra": answers.extra,
        "elsewhere": answers.elsewhere,
        "queue": answers.queue,
        "no_queue": answers.no_queue,
        "last_event_at": _time(heard.last_event_at),
        "usual_per_hour": heard.usual_per_hour,
        "listened_days": round(heard.listened_s / 86400, 2),
        "troubles": {name: trouble.since for name, trouble in one.troubles.items()},
        f"missed_in_{MISSED_DAYS}_days": heard.missed,
        "quarantined": heard.quarantined,
        "doubling_handlers": heard.doubling,
        "erasure_due_since": _time(one.erase_since),
        "faults": faults,
    }


def _time(at: float | None) -> str | None:
    return None if at is None else timestamps.seconds(at)


def _span(seconds: float) -> str:
    for unit_s, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
