"""`gateway doctor` says what makes an installation unsafe or unready, and what to do about it."""

import asyncio
import os
import shutil
import textwrap
from collections.abc import Sequence
from typing import Final, Literal

import click

from gateway.commandline import settings_of
from gateway.doctor.examination import examine, refused_setting
from gateway.doctor.finding import Finding, Severity
from gateway.doctor.redis_roles import ROLES
from gateway.errors import SettingsError
from gateway.settings import settings_file
from gateway.status.quantities import counted
from gateway.terminal import json_line, printable

__all__ = ["command"]

_COLOURS: Final = {"red": "red", "warning": "yellow", "note": "cyan", "well": "green"}
_INDENT: Final = 9
_LEAST_WIDTH: Final = 60


@click.command("doctor")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default="receiver",
    show_default=True,
    help="Whose rights the user of [redis] url must have.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per finding.")
@click.pass_context
def command(context: click.Context, *, role: str, as_json: bool) -> None:
    r"""What makes this installation unsafe or unready, and what to do about each.

    Looks at the settings, files and disks of this machine, Redis and the rights in it, groups,
    portals and the public address. Changes nothing; works before the first start, too. Ends with 1
    if something is red: events are lost, refused or read by others, or will be. What it checks:
    docs/doctor.md.

    \b
    gateway doctor
    gateway doctor --config /etc/gateway/gateway.toml --role reconciler --json
    """
    try:
        settings = settings_of(context)
    except SettingsError as error:
        found = [refused_setting(line) for line in str(error).splitlines()]
    else:
        file = settings_file(context.find_root().params["config"], os.environ)
        found = asyncio.run(examine(settings, file, role=role))
    if as_json:
        for one in found:
            click.echo(json_line(one))
    else:
        _echo(found)
    context.exit(1 if any(one.severity == "red" for one in found) else 0)


def _echo(found: Sequence[Finding]) -> None:
    for one in found:
        if one.severity == "well":
            continue
        _echo_wrapped(one.severity, f"{one.check}: {one.what}")
        if one.remedy:
            _echo_wrapped("", f"-> {one.remedy}")
    if fine := [f"{one.check} ({one.what})" for one in found if one.severity == "well"]:
        _echo_wrapped("well", ", ".join(fine))
    reds = sum(one.severity == "red" for one in found)
    warnings = sum(one.severity == "warning" for one in found)
    click.echo(f"\n{reds} red, {counted(warnings, 'warning')}")


def _echo_wrapped(severity: Severity | Literal[""], text: str) -> None:
    """A paragraph beside its severity, as wide as the terminal."""
    width = max(_LEAST_WIDTH, shutil.get_terminal_size().columns) - _INDENT
    first, *rest = textwrap.wrap(printable(text), width, break_on_hyphens=False)
    mark = click.style(f"{severity:<{_INDENT}}", fg=_COLOURS.get(severity), bold=True)
    click.echo(f"{mark}{first}")
    for line in rest:
        click.echo(f"{'':<{_INDENT}}{line}")
