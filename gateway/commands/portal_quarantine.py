"""`gateway portals quarantine` shows deliveries that came with a token that is not registered."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

import click
from msgspec import Struct

from gateway.commandline import settings_of
from gateway.commands.row_output import Row, echo_rows
from gateway.contract import timestamps
from gateway.errors import OperatorError
from gateway.inbound.admission import Admission
from gateway.ops.answer_times import answering
from gateway.portals.application_tokens import shown
from gateway.portals.directory import Directory, portals_of
from gateway.portals.quarantine import Quarantine, Sealed
from gateway.portals.registry import Registry, portals_among
from gateway.publishing.errors import StreamUnavailable
from gateway.publishing.stream_writer import stream_writer
from gateway.settings import Settings
from gateway.terminal import json_line
from gateway.vault.encryption import Vault
from gateway.web.readmission import Readmission, claim_of, readmit

__all__ = ["command"]

T = TypeVar("T")

_NO_KEYS = "[vault] keys is empty: what is in the quarantine cannot be read"


class _Room(Struct, frozen=True):
    """What the commands work with."""

    settings: Settings
    portals: Directory
    admission: Admission
    quarantine: Quarantine
    vault: Vault | None


def _chosen(*, needs_portal: bool) -> Callable[[Any], Any]:
    """The arguments that say which deliveries are meant."""

    def decorate(function: Any) -> Any:
        for add in (
            click.argument("member_id", required=needs_portal),
            click.option(
                "--token-digest", metavar="HEX", help="Only those whose digest begins so."
            ),
            click.option("--receipt-id", metavar="ID", help="Only this one."),
        ):
            function = add(function)
        return function

    return decorate


@click.group("quarantine")
def command() -> None:
    r"""Deliveries of registered portals that came with a token that is not registered.

    They are kept, encrypted, because a token that was changed in Bitrix24 makes genuine deliveries
    look like that. Register the token (`gateway portals add`), then admit them. More:
    docs/portals.md.

    \b
    gateway portals quarantine list
    gateway portals quarantine admit
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per token.")
@click.pass_context
def list_(context: click.Context, *, as_json: bool) -> None:
    r"""How many are kept, a line for each portal and token, with the newest of them.

    More: docs/portals.md.

    \b
    gateway portals quarantine list
    gateway portals quarantine list --json
    """

    async def rows(room: _Room) -> list[Row]:
        found: list[Row] = []
        for portal in room.portals:
            kept = sorted(await room.quarantine.of(portal.member_id), key=lambda one: one.digest)
            for digest, group in groupby(kept, key=lambda one: one.digest):
                alike = sorted(group, key=lambda one: one.received_ms)
                found.append(
                    {
                        "member_id": portal.member_id,
                        "domain": portal.domain,
                        "token_digest": shown(digest),
                        "count": len(alike),
                        "oldest": timestamps.seconds(alike[0].received_ms // 1000),
                        "newest": timestamps.seconds(alike[-1].received_ms // 1000),
                        **_claim(alike[-1], room),
                    }
                )
        return found

    echo_rows(_in_room(context, rows), as_json=as_json, empty="nothing is in the quarantine")


@command.command("show")
@_chosen(needs_portal=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per delivery.")
@click.pass_context
def show(
    context: click.Context,
    *,
    member_id: str,
    token_digest: str | None,
    receipt_id: str | None,
    as_json: bool,
) -> None:
    r"""Each delivery of a portal, in the order of receipt.

    More: docs/portals.md.

    \b
    gateway portals quarantine show 010b6886ebc205e43ae65000ee00addb
    gateway portals quarantine show 010b6886ebc205e43ae65000ee00addb --token-digest 3fa9 --json
    """

    async def rows(room: _Room) -> list[Row]:
        kept = await room.quarantine.of(member_id)
        return [
            {
                "receipt_id": one.receipt_id,
                "received_at": timestamps.milliseconds(one.received_ms),
                "token_digest": shown(one.digest),
                **_claim(one, room),
            }
            for one in _those(kept, token_digest, receipt_id)
        ]

    empty = f"nothing of {member_id} is in the quarantine"
    echo_rows(_in_room(context, rows), as_json=as_json, empty=empty)


@command.command("admit")
@_chosen(needs_portal=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object.")
@click.pass_context
def admit(
    context: click.Context,
    *,
    member_id: str | None,
    token_digest: str | None,
    receipt_id: str | None,
    as_json: bool,
) -> None:
    r"""Publish those whose token is registered now; of all portals, or of one.

    Each becomes the event that it would have been, with its id and time of receipt, behind the
    events that came since. Admitting twice publishes once. Exit code 1 if some remain. More:
    docs/portals.md.

    \b
    gateway portals quarantine admit
    gateway portals quarantine admit 010b6886ebc205e43ae65000ee00addb --token-digest 3fa9
    """

    async def readmitted(room: _Room) -> Readmission:
        if room.vault is None:
            raise OperatorError(_NO_KEYS)
        settings = room.settings
        portals = [member_id] if member_id else [portal.member_id for portal in room.portals]
        kept = [one for name in portals for one in await room.quarantine.of(name)]
        return await readmit(
            sorted(_those(kept, token_digest, receipt_id), key=lambda one: one.received_ms),
            quarantine=room.quarantine,
            vault=room.vault,
            admission=room.admission,
            streams=settings.redis.streams,
            writer_of=partial(stream_writer, settings.redis, settings.publish),
            deadline_s=settings.publish.deadline_s,
        )

    result = _in_room(context, readmitted)
    if as_json:
        remaining = [
            {"token_digest": shown(left.digest), "reason": left.reason, "deliveries": count}
            for left, count in result.remaining.items()
        ]
        click.echo(json_line({"published": result.event_ids, "remaining": remaining}))
    else:
        click.echo(f"published: {len(result.event_ids)}")
        for left, count in result.remaining.items():
            click.echo(f"remaining: {count} with token {shown(left.digest)}: {left.reason}")
    context.exit(1 if result.remaining else 0)


@command.command("drop")
@_chosen(needs_portal=True)
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object.")
@click.pass_context
def drop(
    context: click.Context,
    *,
    member_id: str,
    token_digest: str | None,
    receipt_id: str | None,
    is_sure: bool,
    as_json: bool,
) -> None:
    r"""Remove deliveries of a portal from the quarantine, for good.

    More: docs/portals.md.

    \b
    gateway portals quarantine drop 010b6886ebc205e43ae65000ee00addb
    gateway portals quarantine drop 010b6886ebc205e43ae65000ee00addb --token-digest 3fa9 --yes
    """

    async def chosen(room: _Room) -> list[Sealed]:
        return _those(await room.quarantine.of(member_id), token_digest, receipt_id)

    kept = _in_room(context, chosen)
    if kept and not is_sure:
        click.confirm(f"remove {len(kept)} deliveries of {member_id}?", abort=True, err=True)

    async def remove(room: _Room) -> None:
        await room.quarantine.remove(kept)

    if kept:
        _in_room(context, remove)
    click.echo(json_line({"removed": len(kept)}) if as_json else f"removed: {len(kept)}")


def _in_room(context: click.Context, work: Callable[[_Room], Awaitable[T]]) -> T:
    """What the work returns; raises OperatorError where the stream takes nothing."""
    settings = settings_of(context)
    vault = Vault.of(settings.vault)
    prefix = settings.redis.prefix

    async def run() -> T:
        async with answering(settings.redis) as client:
            directory = Directory(portals_of(settings.portals))
            reading = await Registry(client, prefix=prefix).read()
            directory.learn(portals_among(reading.registrations))
            quarantine = Quarantine(client, settings.quarantine, prefix=prefix)
            admission = Admission(directory, settings.subscription)
            return await work(_Room(settings, directory, admission, quarantine, vault))

    try:
        return asyncio.run(run())
    except (StreamUnavailable, OSError) as error:
        raise OperatorError(f"Redis does not do its part: {error!r}") from error


def _those(
    kept: Sequence[Sealed], token_digest: str | None, receipt_id: str | None
) -> list[Sealed]:
    return [
        one
        for one in kept
        if token_digest is None
        or (token_digest and one.digest.hex().startswith(token_digest.lower()))
        if receipt_id in (None, one.receipt_id)
    ]


def _claim(kept: Sealed, room: _Room) -> Row:
    event = room.vault and claim_of(kept, room.vault, room.admission)
    if not event:
        return {"type": "cannot be read", "subject": ""}
    return {"type": event.type, "subject": event.subject}
