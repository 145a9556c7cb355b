"""`gateway events add` and `remove` bind events in portals, and unbind them."""

import asyncio
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

import click

from gateway import logs
from gateway.commandline import settings_of
from gateway.commands.row_output import Row, echo_rows
from gateway.contract import EVENT_TYPES
from gateway.errors import OperatorError
from gateway.event_subscription import EventSubscription, hint_for
from gateway.ops.answer_times import answering
from gateway.portal_health.portal_events import BindingChange, PortalEvents
from gateway.portals.facts import PortalFacts
from gateway.portals.registered_portals import registered_portals
from gateway.settings import Settings
from gateway.terminal import printable

__all__ = ["add", "remove"]


@click.command("add")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--portal", metavar="ID", help="Only this one, by member id or domain.")
@click.option("--dry-run", "is_dry", is_flag=True, help="Only say what would be bound.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per binding.")
@click.pass_context
def add(
    context: click.Context,
    *,
    names: tuple[str, ...],
    portal: str | None,
    is_dry: bool,
    as_json: bool,
) -> None:
    r"""Bind events in all portals, and in their queues: now, and not at the checkup's next look.

    NAME is Bitrix24's (onCrmDealUpdate), or a pattern (onCrmDeal*), of events that the settings
    take ([[events]]); without any, it is all of these. Says what came of it in each portal, may be
    repeated, and ends with 1 if a portal did not bind something. More: docs/events.md.

    \b
    gateway events add
    gateway events add 'onCrmDeal*' --portal acme.bitrix24.com --dry-run
    """
    settings = settings_of(context)
    chosen_names = _subscribed(names, settings.subscription)
    _conclude(context, settings, portal, chosen_names, is_adding=True, is_dry=is_dry, json=as_json)


@click.command("remove")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--portal", metavar="ID", help="Only this one, by member id or domain.")
@click.option("--dry-run", "is_dry", is_flag=True, help="Only say what would be unbound.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per binding.")
@click.pass_context
def remove(
    context: click.Context,
    *,
    names: tuple[str, ...],
    portal: str | None,
    is_dry: bool,
    as_json: bool,
) -> None:
    r"""Unbind events in all portals that the settings do not take any more.

    NAME is Bitrix24's, or a pattern; without any, it is all that is delivered to this gateway's
    address and not taken, with what waits of it in the queue. What goes to other addresses stays.
    An event that the settings take is refused: it would be bound again. More: docs/events.md.

    \b
    gateway events remove --dry-run
    gateway events remove onCrmDealUpdate
    """
    settings = settings_of(context)
    chosen_names = _unsubscribed(names, settings.subscription)
    _conclude(context, settings, portal, chosen_names, is_adding=False, is_dry=is_dry, json=as_json)


def _subscribed(names: Sequence[str], subscription: EventSubscription) -> Collection[str]:
    """The names on the wire of events that are taken; raises OperatorError."""
    if not names:
        return subscription.delivered
    found: set[str] = set()
    for name in names:
        matching = _matching(name, subscription.by_wire_name)
        if not matching:
            is_known = _matching(name, [row.wire_name for row in EVENT_TYPES])
            raise OperatorError(f"{name}: {_take_first(name) if is_known else hint_for(name)}")
        found |= matching
    return found


def _unsubscribed(names: Sequence[str], subscription: EventSubscription) -> Collection[str]:
    """The names on the wire of events that are not taken; raises OperatorError."""
    known = {row.wire_name for row in EVENT_TYPES}
    found: set[str] = set()
    for name in names:
        taken = _matching(name, subscription.delivered)
        matching = _matching(name, known) if "*" in name else {name.upper()}
        if taken:
            raise OperatorError(
                f"{name}: the settings take {', '.join(sorted(taken))}: what they take is bound "
                "again, so take it out of [[events]] first"
            )
        if not matching:
            raise OperatorError(f"{name}: {hint_for(name)}")
        found |= matching
    return found


def _matching(name: str, among: Collection[str]) -> set[str]:
    return {one for one in among if fnmatchcase(one, name.upper())}


def _take_first(name: str) -> str:
    return (
        f'the settings do not take it: put [[events]] with name = "{name}" there (whoever names '
        "events names those of comments, too: onCrmTimelineComment*), and start the receiver again"
    )


def _conclude(
    context: click.Context,
    settings: Settings,
    portal: str | None,
    names: Collection[str],
    *,
    is_adding: bool,
    is_dry: bool,
    json: bool,
) -> None:
    logs.configure(settings.log, process="events")  # refused tokens are told, and not on stdout
    changes = asyncio.run(_changed(settings, portal, names, is_adding=is_adding, is_dry=is_dry))
    rows = [_row(one) for one in changes]
    echo_rows(rows, as_json=json, empty="nothing to do")
    context.exit(1 if any(one.has_failed for one in changes) else 0)


async def _changed(
    settings: Settings, name: str | None, names: Collection[str], *, is_adding: bool, is_dry: bool
) -> list[BindingChange]:
    # What calls portals is imported by those who call them.
    from gateway.bitrix24.connecting import connect  # noqa: PLC0415

    async with answering(settings.redis) as redis, connect(settings) as bitrix24:
        portals = await registered_portals(redis, settings, name)
        facts = PortalFacts(redis, prefix=settings.redis.prefix)
        events = PortalEvents(settings, bitrix24, facts)
        if is_adding:
            return await events.add(portals, names, is_dry=is_dry)
        return await events.remove(portals, names, is_dry=is_dry)


def _row(change: BindingChange) -> Row:
    return {
        "portal": change.portal.domain or change.portal.member_id,
        "member_id": change.portal.member_id,
        "event": change.event or None,
        "where": None if not change.event else "queue" if change.is_offline else "delivery",
        "result": change.result,
        "why": printable(change.why) or None,
    }
