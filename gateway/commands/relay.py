"""`gateway relay` tries endpoints that events are pushed to, and tells how they stand."""

import asyncio
from datetime import UTC, datetime

import click

from gateway.commandline import settings_of
from gateway.commands.row_output import Row, echo_rows
from gateway.contract import encode_event
from gateway.errors import OperatorError
from gateway.ops.answer_times import answering
from gateway.ops.group_interventions import GroupInterventions, interventions_of
from gateway.ops.text_tables import span
from gateway.settings import Settings
from gateway.terminal import json_line, printable
from gateway.webhooks.cloud_event_requests import message_of
from gateway.webhooks.endpoint_records import EndpointRecord, read_records
from gateway.webhooks.push_endpoints import PushEndpoint, endpoints_of, fence_of, group_of
from gateway.webhooks.sample_events import sample_event
from gateway.webhooks.webhook_sender import NotAnswered, WebhookAnswer, open_sender

__all__ = ["command"]


@click.group("relay")
def command() -> None:
    r"""Endpoints that events are pushed to: how they stand, and what they answer.

    They stand in the settings ([[relay.endpoints]]), and `consumers run relay` pushes. More:
    docs/relay.md.

    \b
    gateway relay list
    gateway relay test crm
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per endpoint.")
@click.pass_context
def list_endpoints(context: click.Context, *, as_json: bool) -> None:
    r"""How each endpoint stands, and what it answered last.

    What waits for one, and its dead letters, show as those of its group, `relay-NAME`, in
    `gateway groups`. More: docs/relay.md.

    \b
    gateway relay list
    gateway relay list --json
    """
    settings = settings_of(context)
    rows = asyncio.run(_rows(settings))
    echo_rows(rows, as_json=as_json, empty="no endpoints: [[relay.endpoints]] names them")


@command.command("test")
@click.argument("name")
@click.option(
    "--type", "event_type", metavar="TYPE", help="What to send. Default: the first type it takes."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object.")
@click.pass_context
def test(context: click.Context, *, name: str, event_type: str | None, as_json: bool) -> None:
    r"""Send a signed sample to an endpoint, and say what came back.

    It is signed and shaped as every delivery, with the header `x-gateway-sample: true`; its portal
    is the first of the endpoint's `portals`, or one that does not exist. Ends with 1 if the
    endpoint does not answer with 2xx. Needs no Redis. More: docs/relay.md.

    \b
    gateway relay test crm
    gateway relay test crm --type deal.updated
    """
    settings = settings_of(context)
    endpoint = _named(endpoints_of(settings.relay), name)
    event = sample_event(endpoint.takes, portals=endpoint.settings.portals, event_type=event_type)
    sent: Row = {"endpoint": name, "type": event.type, "id": event.id}
    try:
        answer = asyncio.run(_send(settings, endpoint, event.id, encode_event(event)))
    except NotAnswered as failure:
        _tell({**sent, "error": failure.reason}, f"{name}: {failure.reason}", as_json=as_json)
        context.exit(1)
    took_ms = round(answer.took_s * 1000, 1)
    text = answer.beginning.decode(errors="replace").strip()
    known: Row = {**sent, "status": answer.status, "took_ms": took_ms, "body": text}
    line = f"{name}: {answer.status} in {took_ms:g} ms to {event.type} {event.id}"
    _tell(known, f"{line}\n  {printable(text)}" if text else line, as_json=as_json)
    context.exit(0 if answer.is_success else 1)


def _tell(row: Row, line: str, *, as_json: bool) -> None:
    click.echo(json_line(row) if as_json else line)


def _named(endpoints: tuple[PushEndpoint, ...], name: str) -> PushEndpoint:
    for one in endpoints:
        if one.name == name:
            return one
    names = ", ".join(one.name for one in endpoints) or "none: [[relay.endpoints]] names them"
    raise OperatorError(f"there is no endpoint {name}; there are: {names}")


async def _send(
    settings: Settings, endpoint: PushEndpoint, event_id: str, raw: bytes
) -> WebhookAnswer:
    async with open_sender(fence_of(settings.relay), endpoints=1) as sender:
        return await sender.send(
            endpoint,
            message_of(raw, endpoint.settings.mode),
            message_id=event_id,
            is_sample=True,
        )


async def _rows(settings: Settings) -> list[Row]:
    endpoints = settings.relay.endpoints
    if not endpoints:
        return []
    redis_settings = settings.redis
    async with answering(redis_settings) as redis:
        records = await read_records(redis, prefix=redis_settings.prefix)
        wishes = [
            await interventions_of(redis, redis_settings.streams, group_of(one.name))
            for one in endpoints
        ]
    now = datetime.now(UTC)
    return [
        _row(one.name, records.get(one.name, EndpointRecord()), paused, now)
        for one, paused in zip(endpoints, wishes, strict=True)
    ]


def _row(name: str, record: EndpointRecord, wishes: GroupInterventions, now: datetime) -> Row:
    return {
        "endpoint": name,
        "group": wishes.group,
        "state": _state(record, wishes, now),
        "tried": _ago(record.at, now),
        "delivered": _ago(record.delivered_at, now),
        "status": record.status,
        "took_ms": record.took_ms,
        "error": printable(record.error),
    }


def _state(record: EndpointRecord, wishes: GroupInterventions, now: datetime) -> str:
    if wishes.paused is not None:
        return "paused" if wishes.paused == "whole" else f"paused {wishes.paused}"
    if record.failing_since:
        return f"failing for {span(_seconds(record.failing_since, now))}"
    if record.error:
        return "refuses some"
    return "well" if record.at else "never tried"


def _ago(moment: str | None, now: datetime) -> str:
    return f"{span(_seconds(moment, now))} ago" if moment else ""


def _seconds(moment: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(moment)).total_seconds()
