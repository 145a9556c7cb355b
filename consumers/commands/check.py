"""`consumers check`: tries a consumer with what it has to be ready for."""

import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any

import click
import uvloop
from msgspec.structs import replace

from consumers.checking.case import Case
from consumers.checking.check_report import CheckReport
from consumers.checking.consumer_check import cases_of, check_consumer
from consumers.checking.report_text import COUNTED, report_text
from consumers.runtime.consumer import Consumer
from consumers.runtime.consumer_lookup import load_consumer
from consumers.runtime.consumer_set import ConsumerSet
from gateway import logs
from gateway.commandline import settings_of
from gateway.errors import OperatorError
from gateway.settings import Settings
from gateway.terminal import indented_json

__all__ = ["command"]


@click.command("check")
@click.argument("name")
@click.option("--case", "names", metavar="CASE", multiple=True, help="Only this; may be repeated.")
@click.option(
    "--timeout",
    "timeout_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="What a call of a handler may take.",
)
@click.option("--list", "is_list", is_flag=True, help="Show the cases, and call nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
@click.pass_context
def command(
    context: click.Context,
    *,
    name: str,
    names: Sequence[str],
    timeout_s: float,
    is_list: bool,
    yes: bool,
    as_json: bool,
) -> None:
    r"""Try a consumer, module:object of your own, with events that it may not expect.

    All are legal: unknown types, nulls, what is absent, deletions, replays, the same event twice,
    very long texts. Says which case broke which handler, at which line; exit code 1 if one did.

    Redis has no part in it, but the handlers are really called, and the consumer's lifespan is
    entered: let them reach nothing that matters. All events are of portals whose member_id begins
    with c0ffee. More: docs/consumers.md.

    \b
    consumers check search_index:app
    consumers check search_index:app --case comment-unavailable --yes
    """
    settings = settings_of(context)
    consumer = _own(name, settings)
    cases = _chosen(cases_of(consumer), names)
    if is_list:
        click.echo(_listed(cases, as_json=as_json))
        return
    if not yes:
        _confirm(name, len(cases))

    def show(report: CheckReport) -> None:
        click.echo(_as_json(report) if as_json else report_text(report), file=out)

    def end_here(report: CheckReport) -> None:
        """In another thread: the loop runs a handler that does not come back."""
        show(report)
        out.flush()
        os._exit(1)

    out = sys.stdout
    with redirect_stdout(sys.stderr):  # where what handlers print is in nobody's way
        report = uvloop.run(check_consumer(consumer, cases, timeout_s=timeout_s, on_stuck=end_here))
    show(report)
    context.exit(0 if report.is_good else 1)


def _confirm(name: str, count: int) -> None:
    """Raise OperatorError unless the operator agrees: exit code 1 is that of what broke."""
    asked = f"Call the handlers of {name} with {count} cases of made-up events?"
    try:
        agreed = click.confirm(f"{asked} What they do is really done.", err=True)
    except click.Abort:  # nobody is there
        agreed = False
    if not agreed:
        raise OperatorError("nothing was called; with --yes, nobody is asked")


def _own(name: str, settings: Settings) -> Consumer:
    module, _, is_of_a_service = name.partition(":")
    if not is_of_a_service:
        raise OperatorError(f"{name}: give module:object of your own, as to `consumers run`")
    # Failed attempts are in the report; logs of the service's own come as they do in production.
    quiet = replace(settings.log, level="error")
    logs.configure(quiet, process=f"check {name}", own=[module.partition(".")[0]])
    (consumer,) = ConsumerSet.of(load_consumer(name, settings)).consumers
    return consumer


def _chosen(cases: list[Case], names: Sequence[str]) -> list[Case]:
    unknown = set(names) - {case.name for case in cases}
    if unknown:
        raise OperatorError(
            f"--case {min(unknown)}: there is no such case for this consumer; --list shows them"
        )
    return [case for case in cases if case.name in names] if names else cases


def _listed(cases: Sequence[Case], *, as_json: bool) -> str:
    if as_json:
        return indented_json([_plain_case(case) for case in cases])
    width = max(len(case.name) for case in cases)
    return "\n".join(f"{case.name:<{width}}  {case.about}" for case in cases)


def _plain_case(case: Case) -> dict[str, Any]:
    return {
        "name": case.name,
        "about": case.about,
        "is_replay": case.is_replay,
        "is_redelivered": case.is_redelivered,
        "events": [raw.decode() for raw in case.events],
    }


def _as_json(report: CheckReport) -> str:
    return indented_json(
        {
            "group": report.group,
            "stream": report.stream,
            "is_good": report.is_good,
            **{outcome: len(report.of(outcome)) for outcome in COUNTED},
            "cases": report.results,
        }
    )
