"""`gateway events list` shows the catalogue, what is taken of it, and what portals have bound."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import click
from msgspec import Struct

from gateway import logs
from gateway.bitrix24.declared_fetches import declared_fetches
from gateway.bitrix24.fetch_methods import FetchMethod
from gateway.commandline import settings_of
from gateway.commands.row_output import Row, echo_rows
from gateway.contract import ENTITY_TYPE_ID, EVENT_TYPES, OFFLINE_EVENT, EventType
from gateway.event_subscription import EventSubscription
from gateway.ops.answer_times import answering
from gateway.ops.latest_of_types import LatestOfTypes, latest_of_types
from gateway.portal_health.portal_events import PortalEvents, WhatIsBound
from gateway.portals.facts import PortalFacts
from gateway.portals.registered_portals import registered_portals
from gateway.settings import Settings
from gateway.terminal import json_line, printable

__all__ = ["command"]


_Fetches = Mapping[str, FetchMethod]


class _Look(Struct, frozen=True, kw_only=True):
    """What portals and streams say; nothing, if they were not asked."""

    bound: Sequence[WhatIsBound] = ()
    latest: LatestOfTypes = LatestOfTypes(received={})


@click.command("list")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--subscribed", is_flag=True, help="Only those that are taken.")
@click.option("--unbound", is_flag=True, help="Only those that some portal should have, and lacks.")
@click.option("--portal", metavar="ID", help="What this one has bound, by member id or domain.")
@click.option("--catalogue", is_flag=True, help="Ask neither portals nor Redis.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per event.")
@click.pass_context
def command(
    context: click.Context,
    *,
    names: tuple[str, ...],
    subscribed: bool,
    unbound: bool,
    portal: str | None,
    catalogue: bool,
    as_json: bool,
) -> None:
    r"""All events, which of them are taken, in how many portals they are bound, and the last one.

    NAME is Bitrix24's (onCrmDealUpdate), or a pattern (onCrmDeal*). FETCH is how the enricher
    asks for the object. BOUND is in how many portals the event is delivered to this gateway, of
    those that could be asked, QUEUED in how many it waits in the queue, too. LAST SEEN is by the
    streams, as far back as they were looked through. More: docs/events.md.

    \b
    gateway events list --subscribed
    gateway events list 'onCrmDeal*' --portal acme.bitrix24.com --json
    """
    settings = settings_of(context)
    logs.configure(settings.log, process="events")  # refused tokens are told, and not on stdout
    look = _Look() if catalogue else asyncio.run(_looked(settings, portal))
    subscription = settings.subscription
    taken = subscription.by_wire_name
    fetches = declared_fetches(settings.events)
    patterns = [name.upper() for name in names]
    shown = [
        row
        for row in _rows_of(subscription, look)
        if (not subscribed or row.wire_name in taken)
        and (not unbound or _lacking(row, look))
        and (not patterns or any(fnmatchcase(row.wire_name, one) for one in patterns))
    ]
    if as_json:
        for row in shown:
            click.echo(json_line(_object(row, subscription, fetches, look)))
    else:
        rows = [_row(row, subscription, fetches, look) for row in shown]
        echo_rows(rows, as_json=False, empty="no event is called so")
        _echo_notes(look)
        if not (catalogue or settings.handler_url):
            click.echo("[bitrix24] public_url is empty: no portal was asked what it has bound")


async def _looked(settings: Settings, name: str | None) -> _Look:
    # What calls portals is imported by those who call them.
    from gateway.bitrix24.connecting import connect  # noqa: PLC0415

    async with answering(settings.redis) as redis, connect(settings) as bitrix24:
        portals = await registered_portals(redis, settings, name)
        facts = PortalFacts(redis, prefix=settings.redis.prefix)
        bound: Sequence[WhatIsBound] = ()
        if settings.handler_url:
            bound = await PortalEvents(settings, bitrix24, facts).bound(portals)
        member_id = None if name is None else portals[0].member_id
        streams = settings.redis.streams
        return _Look(bound=bound, latest=await latest_of_types(redis, streams, member_id=member_id))


def _rows_of(subscription: EventSubscription, look: _Look) -> Iterator[EventType]:
    """The catalogue, what the settings declare, and whatever else portals have bound."""
    rows = {row.wire_name: row for row in (*EVENT_TYPES, *subscription.rows)}
    yield from rows.values()
    others = {name for one in look.bound for name in one.delivered | one.queued}
    for name in sorted(others - rows.keys() - {OFFLINE_EVENT.upper()}):
        yield EventType(documented_name=name, type="", subject_kind="", id_places=(), scope="")


def _asked(look: _Look) -> list[WhatIsBound]:
    return [one for one in look.bound if one.comparison is not None]


def _having(look: _Look, has: Callable[[WhatIsBound], bool]) -> list[str]:
    return [one.portal.domain or one.portal.member_id for one in _asked(look) if has(one)]


def _lacking(row: EventType, look: _Look) -> list[str]:
    """The portals that should have the event, and do not."""
    return _having(
        look,
        lambda one: (
            one.comparison is not None
            and any(
                missing.event == row.wire_name and not missing.is_offline
                for missing in one.comparison.missing
            )
        ),
    )


def _last_seen(row: EventType, received: Mapping[str, str]) -> str | None:
    if ENTITY_TYPE_ID not in row.type:
        return received.get(row.type)
    pattern = row.type.replace(f".{ENTITY_TYPE_ID}", "*")  # nobody may have said which one it is
    return max((at for type_, at in received.items() if fnmatchcase(type_, pattern)), default=None)


def _fetch(row: EventType, fetches: _Fetches) -> str | None:
    method = fetches.get(row.type.replace(ENTITY_TYPE_ID, "*"))
    return None if method is None else method.name


def _row(row: EventType, subscription: EventSubscription, fetches: _Fetches, look: _Look) -> Row:
    count = len(_asked(look))
    delivered = _having(look, lambda one: row.wire_name in one.delivered)
    queued = _having(look, lambda one: row.wire_name in one.queued)
    is_queued = row.wire_name in subscription.queued or queued
    return {
        "event": row.documented_name,
        "type": row.type or None,
        "scope": row.scope or None,
        "taken": "yes" if row.wire_name in subscription.by_wire_name else "no",
        "fetch": _fetch(row, fetches),
        "bound": f"{len(delivered)}/{count}" if count else None,
        "queued": f"{len(queued)}/{count}" if count and is_queued else None,
        "last_seen": _last_seen(row, look.latest.received),
    }


def _object(
    row: EventType, subscription: EventSubscription, fetches: _Fetches, look: _Look
) -> dict[str, Any]:
    return {
        "name": row.documented_name,
        "type": row.type or None,
        "subject": row.subject_kind or None,
        "scope": row.scope or None,
        "page": row.page or None,
        "is_queued_offline": row.is_queued_offline,
        "is_subscribed": row.wire_name in subscription.by_wire_name,
        "fetch": _fetch(row, fetches),
        "bound_in": _having(look, lambda one: row.wire_name in one.delivered),
        "queued_in": _having(look, lambda one: row.wire_name in one.queued),
        "missing_in": _lacking(row, look),
        "last_seen_at": _last_seen(row, look.latest.received),
        "looked_back_to": look.latest.since,
    }


def _echo_notes(look: _Look) -> None:
    if look.latest.since is not None:
        click.echo(f"\nlast seen: the streams were looked through back to {look.latest.since}")
    for one in look.bound:
        if one.refusal:
            click.echo(printable(f"{one.portal.domain or one.portal.member_id}: {one.refusal}"))
