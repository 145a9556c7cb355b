"""`gateway config` shows what the processes would run with."""

import os
from collections.abc import Iterator
from typing import Any

import click

from gateway.commandline import settings_of
from gateway.errors import SettingsError
from gateway.settings import Settings, load_here
from gateway.settings.masking import masked
from gateway.settings.running_up import FILE
from gateway.terminal import indented_json, json_line

__all__ = ["command"]


@click.command("config")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of TOML.")
@click.option("--check", "is_check", is_flag=True, help="Only say whether processes start so.")
@click.pass_context
def command(context: click.Context, *, as_json: bool, is_check: bool) -> None:
    r"""Show the effective settings, secrets masked.

    Where a `gateway up` runs in this directory they are its own, unless others are named, as they
    are for every command; a line on standard error says so.

    With --check, nothing is shown: whatever a process would refuse to start with is told, one line
    for each fault, and the exit code is 2, else 0. Connects to nothing, so it can be run before a
    file is put in its place. What each key means: docs/settings.md.

    \b
    gateway config
    gateway config --check --config new.toml
    """
    if is_check:
        _check(settings_of(context, are_of_running_up=False))
        return
    shown, running = load_here(context.find_root().params["config"], os.environ)
    if running is not None:
        click.echo(f"of the running `gateway up`, process {running.pid} ({FILE})", err=True)
    settings = masked(shown)
    if as_json:
        click.echo(indented_json(settings))
        return
    click.echo("\n\n".join("\n".join(_toml(name, section)) for name, section in settings.items()))


def _check(settings: Settings) -> None:
    # Here, since it takes what the whole receiver takes.
    import asyncio  # noqa: PLC0415

    from gateway.doctor.settings_refusals import refusals  # noqa: PLC0415

    if found := asyncio.run(refusals(settings)):
        raise SettingsError("\n".join(found))
    click.echo("these settings work")


def _toml(name: str, section: Any) -> Iterator[str]:
    """A section as lines of TOML; a list of tables becomes `[[name]]` once for each."""
    if isinstance(section, list):
        yield from _tables(name, section)
        return
    yield f"[{name}]"
    nested = {key: value for key, value in section.items() if _is_tables(value)}
    yield from _pairs({key: value for key, value in section.items() if key not in nested})
    for key, tables in nested.items():
        yield from _tables(f"{name}.{key}", tables)


def _tables(name: str, tables: list[Any]) -> Iterator[str]:
    if not tables:
        yield f"# no [[{name}]]"
    for table in tables:
        yield f"[[{name}]]"
        yield from _pairs(table)


def _pairs(table: dict[str, Any]) -> Iterator[str]:
    """A string, number, boolean or list of these is written the same in JSON and in TOML."""
    return (f"{key} = {json_line(value)}" for key, value in table.items())


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and value != [] and all(isinstance(item, dict) for item in value)
