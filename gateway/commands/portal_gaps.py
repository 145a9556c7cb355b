"""`gateway portals gaps` shows what was missed."""

import asyncio
from collections.abc import Sequence

import click

from gateway.commandline import settings_of
from gateway.commands.row_output import Row, echo_rows
from gateway.contract import timestamps
from gateway.missed_events.gap_book import GapBook
from gateway.missed_events.gaps import Gap
from gateway.ops.answer_times import answering
from gateway.portals.registry import Registry
from gateway.settings import Settings

__all__ = ["command"]


@click.command("gaps")
@click.option("--portal", "member_id", metavar="MEMBER_ID", help="Only this portal's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per gap.")
@click.pass_context
def command(context: click.Context, *, member_id: str | None, as_json: bool) -> None:
    r"""Stretches of time of which events were missed, and recovered.

    FIRST and LAST are when the events happened, by the portal's clock. Found in a sweep, when they
    happened is not known: then it is when they were found. More: docs/missed-events.md.

    \b
    gateway portals gaps
    gateway portals gaps --portal 010b6886ebc205e43ae65000ee00addb --json
    """
    found = asyncio.run(_gaps(settings_of(context), member_id))
    rows = [_row(portal, gap) for portal, gaps in found for gap in gaps]
    echo_rows(rows, as_json=as_json, empty="nothing was missed, as far as is known")


async def _gaps(settings: Settings, member_id: str | None) -> Sequence[tuple[str, list[Gap]]]:
    """The gaps of each portal."""
    prefix = settings.redis.prefix
    async with answering(settings.redis) as client:
        registry, book = Registry(client, prefix=prefix), GapBook(client, prefix=prefix)
        member_ids = [member_id] if member_id else await _registered(settings, registry)
        return [(one, await book.of(one)) for one in member_ids]


async def _registered(settings: Settings, registry: Registry) -> list[str]:
    learnt = (await registry.read()).registrations
    settled = {portal.member_id for portal in settings.portals}
    return sorted(settled | {one.member_id for one in learnt})


def _row(member_id: str, gap: Gap) -> Row:
    return {
        "member_id": member_id,
        "first": timestamps.seconds(gap.first),
        "last": timestamps.seconds(gap.last),
        "events": gap.events,
        "found_by": gap.way,
    }
