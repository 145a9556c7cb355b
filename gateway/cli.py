"""The command line of the gateway: reads arguments and settings, wires the parts, runs."""

import sys

import click

from gateway.errors import OperatorError
from gateway.settings import Settings, load

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config", metavar="FILE", help="Settings; default: ./gateway.toml, if there is one."
)
@click.version_option(package_name="bitrix24-event-gateway")
@click.pass_context
def cli(context: click.Context, config: str | None) -> None:
    """Receive Bitrix24 events, store them on Redis Streams, and look after the streams."""
    context.obj = config


def settings_of(context: click.Context) -> Settings:
    """The settings, read when a command needs them, so that `--help` works without any."""
    return load(context.find_root().obj)


def main() -> None:
    """Run; an error that the operator has to mend is one line per fault, and exit code 2."""
    try:
        cli(standalone_mode=True)
    except OperatorError as error:
        for line in str(error).splitlines():
            click.echo(f"gateway: {line}", err=True)
        sys.exit(2)
