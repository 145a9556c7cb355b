"""The command `consumers`: the table of its commands, each a module of consumers.commands."""

from typing import Final

from gateway.commandline import command_line, run

__all__ = ["TABLE", "cli", "main"]

TABLE: Final = {
    "run": "Run a consumer: audit, notifier, warehouse, enricher, or module:object of your own.",
    "audit": "Check the audit log, look into it, and prove what it holds.",
    "notifier": "Check the notifier's routes, and see what waits for its targets.",
    "warehouse": "Ask the warehouse with SQL, compare it with the stream, load it again, erase.",
}

cli = command_line(
    package="consumers.commands",
    table=TABLE,
    summary="Run consumers of the gateway's streams, and look after what they produced.",
)


def main() -> None:
    """The console script."""
    run(cli, name="consumers")
