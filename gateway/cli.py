"""Runs the command `gateway`, each of whose commands is a module of gateway.commands."""

from importlib import import_module
from pathlib import Path
from typing import Final

from gateway.absent_libraries import keep_out
from gateway.commandline import command_line, run

__all__ = ["DECLARED", "TABLE", "cli", "main"]

TABLE: Final = {
    "serve": "The receiver: accepts deliveries and stores them as events.",
    "reconcile": "Find what the receiver missed, and publish it.",
    "status": "Whether everything is well: Redis, spools, groups, processes, portals.",
    "up": "Run everything on this machine: Redis, receiver, consumers.",
    "balance": "What became of every event that was accepted, and what is missing.",
    "prove": "The balance of a day, and the records in the audit log that show it.",
    "doctor": "What makes this installation unsafe or unready, and what to do about each.",
    "drill": "Try how this installation bears faults: cut Redis off, kill processes, fill a spool.",
    "tail": "Follow a stream without consuming it.",
    "groups": "Each stream and group: length, lag, pending, dead letters, owner.",
    "explain": "Where an event is, and what became of it.",
    "pending": "What groups have in hand: for how long, and how it failed last.",
    "dead": "Dead letters: list, show, retry, drop.",
    "replay": "Give one group old events again.",
    "repartition": "Change into how many partitions events are spread, while all runs.",
    "relay": "Endpoints that events are pushed to: how they stand, and what they answer.",
    "trigger": "Send a realistic Bitrix24 request to a URL.",
    "spool": "Events that wait on this machine; recover a file that was set aside.",
    "events": "Events of Bitrix24: which there are, which are taken, and what portals have bound.",
    "portals": "Registered portals: who may send, and how they stand.",
    "vault": "What is kept encrypted, by which keys; seal it anew.",
    "backup": "Take a backup into DIR, which is empty or not there yet, and check it.",
    "restore": "Put the backup in DIR back: Redis first, then the spool and the audit log.",
    "erase": "Erase what Redis holds of a portal, or of one comment, contact, … of it.",
    "config": "Show the effective settings, secrets masked.",
}
DECLARED: Final = Path(__file__).with_name("commands") / "declared"
_SUMMARY: Final = """\
Receive Bitrix24 events, store them on Redis Streams, and look after the streams.

`--help` behind a command says the rest; docs/cli.md has all of it.

\b
gateway up --demo
gateway status --config /etc/gateway/gateway.toml
"""

cli = command_line(
    module_of=lambda name: import_module(f"gateway.commands.{name}"),
    table=TABLE,
    declared_in=DECLARED,
    summary=_SUMMARY,
)


def main() -> None:
    """The console script."""
    keep_out()
    run(cli, name="gateway")
