"""Prints rows for people and for programs."""

import shutil
import sys
from collections.abc import Mapping, Sequence

import click

from gateway.ops.text_tables import table
from gateway.terminal import json_line

__all__ = ["Row", "echo_rows", "terminal_width"]

Row = Mapping[str, str | int | float | None]


def echo_rows(rows: Sequence[Row], *, as_json: bool, empty: str) -> None:
    """Print rows with the same keys: a table under their names, or one JSON object for each.

    `empty` is the sentence for people when there are none.
    """
    if as_json:
        for row in rows:
            click.echo(json_line(row))
    elif rows:
        head = [name.replace("_", " ").upper() for name in rows[0]]
        click.echo(table(head, [tuple(row.values()) for row in rows]))
    else:
        click.echo(empty)


def terminal_width() -> int | None:
    """The columns of the terminal; None for a file or a pipe, where nothing is to be cut off."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
