"""`gateway config` shows what the processes would run with."""

from collections.abc import Iterator
from typing import Any

import click

from gateway.commandline import settings_of
from gateway.settings.masking import masked
from gateway.terminal import indented_json, json_line

__all__ = ["command"]


@click.command("config")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of TOML.")
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> None:
    """Show the effective settings, secrets masked."""
    settings = masked(settings_of(context))
    if as_json:
        click.echo(indented_json(settings))
        return
    click.echo("\n\n".join("\n".join(_toml(name, section)) for name, section in settings.items()))


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
