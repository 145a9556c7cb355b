"""`consumers warehouse find` shows what became of one event there."""

import sys

import click

from consumers.warehouse.command_access import naming_what_is_away, warehouse_settings
from consumers.warehouse.destination import destination
from consumers.warehouse.row_finding import find_rows
from gateway.terminal import json_line, printable

__all__ = ["find"]


@click.command("find")
@click.argument("event_id")
@click.option(
    "--within",
    "wait_s",
    type=click.FloatRange(min=0.0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a load of DuckDB is waited for.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def find(context: click.Context, *, event_id: str, wait_s: float, as_json: bool) -> None:
    r"""Show the row of an event. Exit code 1 if there is none.

    More: docs/warehouse.md.

    \b
    consumers warehouse find 01a20519-8d87-7177-989d-ac8da4341f00
    consumers warehouse find 01a20519-8d87-7177-989d-ac8da4341f00 --within 1 --json
    """
    options = warehouse_settings(context).warehouse
    target = destination(options.destination)
    found = naming_what_is_away(lambda: find_rows(target, options.dataset, event_id, wait_s=wait_s))
    for one in found:
        if as_json:
            click.echo(json_line(one))
            continue
        click.echo(f"table: {one.table}")
        for name, value in one.row.items():
            click.echo(printable(f"{name}: {value}"))
    sys.exit(0 if found else 1)
