"""Reads which dead letters are meant: by reason, by event, by time."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any

import click

from gateway.contract import EventSelection
from gateway.moments import Moment
from gateway.ops.dead_letter_access import DeadLetterAddress, LetterFilter

__all__ = ["GROUP", "JSON", "addresses_of", "filtered"]

GROUP = click.option("--group", required=True, metavar="NAME", help="The group.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")


def filtered(function: Callable[..., None]) -> Callable[..., None]:
    """The options that say which letters are meant; the command gets them as its `wanted`."""

    @click.option(
        "--reason",
        metavar="CODE",
        help="Only these: undecodable, rejected, failed, crashed, struck.",
    )
    @click.option("--portal", metavar="ID", help="Only this portal: its member id or domain.")
    @click.option(
        "--type", "event_type", metavar="TYPE", help="Only this type: comment.updated, app.*"
    )
    @click.option("--subject", metavar="WHAT", help="Only about this: comment/7.")
    @click.option("--event", "event_id", metavar="ID", help="Only the event of this id.")
    @click.option(
        "--since", type=Moment(), metavar="TIME", help="Given up since: 10m, 2h, ISO 8601."
    )
    @click.option("--until", type=Moment(), metavar="TIME", help="Given up before: the same.")
    @wraps(function)
    def command(
        *,
        reason: str | None,
        portal: str | None,
        event_type: str | None,
        subject: str | None,
        event_id: str | None,
        since: datetime | None,
        until: datetime | None,
        **rest: Any,
    ) -> None:
        wanted = LetterFilter(
            reason=reason,
            selection=EventSelection(
                portal=portal, type=event_type, subject=subject, event_id=event_id
            ),
            since_ms=None if since is None else round(since.timestamp() * 1000),
            until_ms=None if until is None else round(until.timestamp() * 1000),
        )
        function(wanted=wanted, **rest)

    return command


def addresses_of(texts: tuple[str, ...] | list[str]) -> list[DeadLetterAddress]:
    """The addresses of letters; raises BadParameter."""
    try:
        return [DeadLetterAddress.of(text) for text in texts]
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="ADDRESS") from error
