"""`gateway portals canary` sends a test event, and shows how long each step of its way takes."""

import asyncio
from typing import Final

import click

from gateway import logs
from gateway.bitrix24.errors import Bitrix24Error
from gateway.bitrix24.token_store import TokenStore
from gateway.commandline import settings_of
from gateway.commands.row_output import Row, echo_rows
from gateway.errors import OperatorError
from gateway.ops.answer_times import answering
from gateway.ops.group_standings import standings
from gateway.portals.directory import Portal
from gateway.portals.registered_portals import registered_portals
from gateway.settings import Settings
from gateway.terminal import printable

__all__ = ["command"]

_NO_APPLICATION: Final = (
    "has no application that could be asked for a test event: change a comment in the portal, "
    "and watch `gateway tail`"
)
_NO_CLIENT_ID: Final = (
    "a test event is asked for in the name of the application, and the settings name none: "
    "[bitrix24] client_id"
)


@click.command("canary")
@click.option("--portal", metavar="ID", help="Only this one, by member id or domain.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0.1),
    default=30.0,
    show_default=True,
    help="For how many seconds a test event is followed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per step.")
@click.pass_context
def command(context: click.Context, *, portal: str | None, timeout_s: float, as_json: bool) -> None:
    r"""Let portals send a test event, and measure its way to every consumer.

    The event is a real one, `bitrix24.app.tested`. Ends with 1 if it did not come all the way, and
    says where it stopped. MS is how many milliseconds after it was asked for it had come so far.
    More: docs/portals.md.

    \b
    gateway portals canary
    gateway portals canary --portal acme.bitrix24.com --timeout 60
    """
    settings = settings_of(context)
    if not settings.bitrix24.listed:
        raise OperatorError(_NO_CLIENT_ID)
    logs.configure(settings.log, process="portals")  # refused tokens are told, and not on stdout
    rows, failures = asyncio.run(_fly(settings, portal, timeout_s))
    echo_rows(rows, as_json=as_json, empty="no test event was sent")
    for failure in failures:
        click.echo(printable(failure), err=True)
    context.exit(1 if failures else 0)


async def _fly(
    settings: Settings, name: str | None, timeout_s: float
) -> tuple[list[Row], list[str]]:
    """The steps of all canaries, and a sentence for each portal whose canary did not arrive."""
    # What calls portals is imported by those who call them.
    from gateway.bitrix24.connecting import connect  # noqa: PLC0415
    from gateway.portal_health.canary import fly, reason_of  # noqa: PLC0415

    async with answering(settings.redis) as redis, connect(settings) as bitrix24:
        rows: list[Row] = []
        failures: list[str] = []
        for portal in await registered_portals(redis, settings, name):
            if not await _has_application(bitrix24.tokens, portal):
                failures.append(f"{portal.domain} {_NO_APPLICATION}")
                continue
            try:
                flight = await fly(
                    bitrix24.application(portal.member_id),
                    portal.member_id,
                    client=redis,
                    streams=settings.redis.streams,
                    timeout_s=timeout_s,
                )
            except Bitrix24Error as error:
                failures.append(f"{portal.domain}: the portal sends no test event: {error}")
                continue
            rows += [
                {"portal": portal.domain, "step": step, "ms": ms}
                for step, ms in flight.steps.items()
            ]
            if flight.stopped_at is not None:
                groups = await standings(redis, settings.redis.streams)
                failures.append(f"{portal.domain}: {reason_of(flight.stopped_at, groups)}")
        return rows, failures


async def _has_application(store: TokenStore | None, portal: Portal) -> bool:
    if store is None:
        return False
    try:
        return await store.read(portal.member_id) is not None
    except Bitrix24Error:
        return True  # there are some, and the call will say what is wrong with them
