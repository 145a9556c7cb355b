"""Writes down what every command takes: in docs/cli.md for people, and in a table for each command,
by which help and completion are answered without importing it (gateway.declared_commands).

`python -m tests.command_pages docs/cli.md`, which is part of `make docs`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

import consumers.cli
import gateway.cli
from gateway.declared_commands import described

__all__ = ["PROGRAMS", "examples_of", "page", "paths", "tables"]

PROGRAMS = {
    "gateway": (gateway.cli.cli, gateway.cli.DECLARED),
    "consumers": (consumers.cli.cli, consumers.cli.DECLARED),
}
_WIDTH = 100
_INTRODUCTION = """\
# Every command

What `--help` says of each, made from the commands by `make docs`. The examples are tried by a test.
`--config FILE` may stand before, within and behind a command; without it, `$GATEWAY_CONFIG` names
the file, else it is `./gateway.toml`, else the settings are those of the `gateway up` that runs in
this directory. Exit codes: 0 done, or well; 1 not well, or not here; 2 the command line, the
settings or Redis; what else there is, a command says.
"""


def tables(program: str) -> Iterator[tuple[Path, str]]:
    """Each table of a program: its file, and what has to stand in it."""
    root, directory = PROGRAMS[program]
    for name in root.table:
        command = root.get_command(click.Context(root), name)
        assert command is not None
        text = msgspec.json.format(msgspec.json.encode(described(command)), indent=1)
        yield directory / f"{name}.json", f"{text.decode()}\n"


def paths(program: str) -> Iterator[tuple[tuple[str, ...], click.Context]]:
    """Each command of a program, groups before what is below them, with a context to ask it in."""
    root, _ = PROGRAMS[program]
    yield from _below((program,), root, None)


def _below(
    path: tuple[str, ...], command: click.Command, parent: click.Context | None
) -> Iterator[tuple[tuple[str, ...], click.Context]]:
    settings = {"terminal_width": _WIDTH, "max_content_width": _WIDTH} if parent is None else {}
    context = click.Context(command, parent=parent, info_name=path[-1], **settings)  # type: ignore[arg-type]
    context.help_option_names = ["-h", "--help"]
    yield path, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _below((*path, name), below, context)


def examples_of(text: str) -> list[str]:
    """The lines of a help that call a command."""
    lines = map(str.strip, text.splitlines())
    return [line for line in lines if line.startswith(tuple(f"{name} " for name in PROGRAMS))]


def page() -> str:
    """The whole page as Markdown."""
    parts = [_INTRODUCTION]
    for program in PROGRAMS:
        for path, context in paths(program):
            heading = "#" * (2 if len(path) == 1 else 3)
            parts.append(f"{heading} {' '.join(path)}\n\n```\n{context.get_help()}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
    for each in PROGRAMS:
        for file, table in tables(each):
            file.parent.mkdir(exist_ok=True)
            file.write_text(table, encoding="utf-8")
