"""`consumers run`: one consumer as this process."""

from typing import Final

import click

from gateway.absent_libraries import keep_out
from gateway.commandline import settings_of

__all__ = ["command"]


_OURS: Final = ("audit", "enricher", "feed", "notifier", "relay", "warehouse")


def _begun(_context: click.Context, _argument: click.Parameter, begun: str) -> list[str]:
    return [name for name in _OURS if name.startswith(begun)]


@click.command("run")
@click.argument("name", shell_complete=_begun)
@click.pass_context
def command(context: click.Context, name: str) -> None:
    r"""Run a consumer: audit, enricher, feed, notifier, relay, warehouse, or module:object.

    The first SIGTERM or SIGINT finishes the entries under way; the second ends the process at once.
    Exit code 3 says that too much could not be handled. More: docs/consumers.md.

    \b
    consumers run audit
    consumers run search_index:app
    """
    settings = settings_of(context)
    if ":" not in name:
        keep_out()
    # After it is known whose code this process runs, on which it depends what may be imported.
    from consumers.runtime.consumer_main import consume  # noqa: PLC0415

    consume(name, settings)
