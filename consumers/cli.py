"""The command `consumers`: the table of its commands, and where each of them is.

What is about one consumer lives in its package, in the module `commands`.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

from gateway.absent_libraries import keep_out
from gateway.commandline import command_line, run
from gateway.errors import OperatorError

__all__ = ["DECLARED", "TABLE", "cli", "main"]

TABLE: Final = {
    "run": "Run a consumer: audit, enricher, feed, notifier, relay, warehouse, or module:object.",
    "check": "Try a consumer, module:object of your own, with events that it may not expect.",
    "audit": "Check the audit log, look into it, and prove what it holds.",
    "feed": "Make a token for a reader of the feed.",
    "notifier": "Check the notifier's routes, and see what waits for its targets.",
    "warehouse": "Ask the warehouse with SQL, compare it with the stream, load it again, erase.",
}

DECLARED: Final = Path(__file__).with_name("commands") / "declared"
_SUMMARY: Final = """\
Run consumers of the gateway's streams, and look after what they produced.

`--help` behind a command says the rest; docs/cli.md has all of it.

\b
consumers run audit
consumers check search_index:app
consumers audit verify var/audit
"""


def _module_of(name: str) -> ModuleType:
    """The module of a command. Raises OperatorError if a library of its consumer is missing."""
    if name in {"run", "check"}:
        return import_module(f"consumers.commands.{name}")
    keep_out()
    try:
        return import_module(f"consumers.{name}.commands")
    except ModuleNotFoundError as error:
        raise OperatorError(
            f"`consumers {name}` needs the library {error.name!r}: "
            f"pip install 'bitrix24-event-gateway[{name}]'"
        ) from error


cli = command_line(
    module_of=_module_of,
    table=TABLE,
    declared_in=DECLARED,
    summary=_SUMMARY,
)


def main() -> None:
    """The console script."""
    run(cli, name="consumers")
