"""`gateway trigger` sends one kind of request, once or at a steady rate, to a gateway."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from difflib import get_close_matches
from urllib.parse import urlsplit

import click
import msgspec

from gateway.commandline import settings_of
from gateway.sandbox.bodies import EVENTS, FORMS, Form, body_of
from gateway.sandbox.delivery_request import GatewayAnswer, NoAnswer, sending
from gateway.sandbox.portal import PortalIdentity, choose_portal
from gateway.settings import resolve_secret
from gateway.terminal import json_line, printable

__all__ = ["command"]


@click.command("trigger")
@click.argument("event", required=False)
@click.option("--list", "is_list", is_flag=True, help="List the events and their forms.")
@click.option("--url", help="Where to; default: the receiver of the settings.")
@click.option("--form", type=click.Choice(FORMS), default="app", help="By whom it is told.")
@click.option("--member-id", help="The portal; default: the first registered one, else a sandbox.")
@click.option("--domain", help="The portal's domain; default: as registered.")
@click.option("--token", help="The application token; default: as registered.")
@click.option("--user-id", type=click.IntRange(min=1), help="Who acted; default: one made up.")
@click.option("--access-token", help="That user's token, as env:NAME; default: one made up.")
@click.option("--refresh-token", help="Of an installation, as env:NAME; default: one made up.")
@click.option("--id", "--comment-id", "subject_id", help="Of what the event is about.")
@click.option("--entity-type-id", type=click.IntRange(min=1), help="Of an item's smart process.")
@click.option("--repeat", type=click.IntRange(min=1), default=1, help="How many requests.")
@click.option("--rate", type=click.FloatRange(min=0.01), default=1.0, help="Requests per second.")
@click.option("--show", is_flag=True, help="Print the body and send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")
@click.pass_context
def command(
    context: click.Context,
    event: str | None,
    *,
    is_list: bool,
    url: str | None,
    form: Form,
    member_id: str | None,
    domain: str | None,
    token: str | None,
    user_id: int | None,
    access_token: str | None,
    refresh_token: str | None,
    subject_id: str | None,
    entity_type_id: int | None,
    repeat: int,
    rate: float,
    show: bool,
    as_json: bool,
) -> None:
    r"""Send a realistic Bitrix24 request to a URL.

    EVENT is what happened, as `comment.updated` or `onCrmDealUpdate`; --list shows all of them.
    Ends with 0 if every request was answered with 200, else with 1. More: docs/sandbox.md.

    \b
    gateway trigger comment.updated
    gateway trigger comment.added --id 7 --show
    gateway trigger item.updated --entity-type-id 1220 --id 24
    gateway trigger --list
    """
    if is_list:
        _list(as_json=as_json)
        return
    event = _known(event, form, entity_type_id)
    settings = settings_of(context)
    portal = choose_portal(settings, member_id=member_id, domain=domain, token=token)
    portal = _acting(portal, user_id, access_token=access_token, refresh_token=refresh_token)

    def body() -> bytes:
        return body_of(
            event,
            portal=portal,
            ts=int(time.time()),
            form=form,
            subject_id=subject_id,
            entity_type_id=entity_type_id,
        )

    if show:
        click.echo(body())
        return

    def tell(answer: GatewayAnswer) -> None:
        click.echo(_line(event, form, answer, as_json=as_json))

    target = _target(url or settings.http.local_url)
    is_fine = asyncio.run(_send(target, body, _in_step(repeat, per_s=rate), tell))
    context.exit(0 if is_fine else 1)


def _known(event: str | None, form: Form, entity_type_id: int | None) -> str:
    """The event; raises BadParameter if there is no such one, or none of this kind."""
    named = {kind.name.upper(): short for short, kind in EVENTS.items()}
    event = named.get((event or "-").upper(), event)
    if event not in EVENTS:
        meant = get_close_matches(event or "", EVENTS, 1)
        hint = f"did you mean {meant[0]}? " if meant else ""
        raise click.BadParameter(f"no such event; {hint}--list shows all", param_hint="EVENT")
    row = EVENTS[event].row
    if form not in EVENTS[event].forms:
        raise click.BadParameter(f"{event} has no form {form}", param_hint="--form")
    if entity_type_id is not None and (row is None or not row.entity_type_places):
        reason = f"{event} is not about the items of a smart process"
        raise click.BadParameter(reason, param_hint="--entity-type-id")
    return event


def _acting(
    portal: PortalIdentity,
    user_id: int | None,
    *,
    access_token: str | None,
    refresh_token: str | None,
) -> PortalIdentity:
    """The portal with what is told of the user who acts in it; tokens are as env:NAME."""
    told = {
        "user_id": user_id,
        "access_token": access_token and resolve_secret(access_token, name="--access-token"),
        "refresh_token": refresh_token and resolve_secret(refresh_token, name="--refresh-token"),
    }
    return msgspec.structs.replace(portal, **{key: value for key, value in told.items() if value})


def _target(url: str) -> str:
    if urlsplit(url).scheme not in ("http", "https"):
        raise click.BadParameter("must begin with http:// or https://", param_hint="--url")
    return url


async def _send(
    target: str,
    body: Callable[[], bytes],
    steps: AsyncIterator[int],
    tell: Callable[[GatewayAnswer], None],
) -> bool:
    """Send a body at each step; whether all were answered with 200. Raises ClickException."""
    is_fine = True
    try:
        async with sending(target) as sender:
            async for _ in steps:
                answer = await sender.send(body())
                tell(answer)
                is_fine &= answer.status == 200
    except NoAnswer as error:
        raise click.ClickException(f"no answer from {error}") from error
    return is_fine


async def _in_step(times: int, *, per_s: float) -> AsyncIterator[int]:
    """Numbers from 0, at a steady rate: what takes longer is made up for."""
    began = time.monotonic()
    for number in range(times):
        await asyncio.sleep(began + number / per_s - time.monotonic())
        yield number


def _line(event: str, form: Form, answer: GatewayAnswer, *, as_json: bool) -> str:
    if as_json:
        told = {"event": event, "form": form} | msgspec.structs.asdict(answer)
        return json_line(told)
    stored = f"  {answer.event_id} stored in the {answer.stored}" if answer.event_id else ""
    return printable(f"{event}  {answer.status} {answer.body}{stored}  {answer.took_ms} ms")


def _list(*, as_json: bool) -> None:
    for name, event in EVENTS.items():
        told = {"event": name, "summary": event.summary, "forms": event.forms}
        forms = f" [{', '.join(event.forms)}]" if len(event.forms) > 1 else ""
        line = f"{name:24} {event.summary}{forms}"
        click.echo(json_line(told) if as_json else line)
