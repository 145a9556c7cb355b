"""Writes to the terminal of `gateway up` what its processes say and what happens to them, line by
line.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import click

from gateway.local.lines import Lines
from gateway.processes.supervisor import how_it_ended

__all__ = ["OWN_NAME", "Console"]

OWN_NAME = "up"


class Console:
    """Observes processes, and prints to standard output.

    `welcome` is printed when all are ready; `before_stop` is called before any is stopped.
    """

    def __init__(self, lines: Lines) -> None:
        self.welcome: Sequence[str] = ()
        self.before_stop: Callable[[], object] = lambda: None
        self.is_ready = asyncio.Event()
        self._lines = lines

    def started(self, name: str, pid: int) -> None:
        """A process was started, for the first time or again."""
        self.said(OWN_NAME, f"{name} started, process {pid}")

    def said(self, name: str, line: str) -> None:
        """A process, or a part of this one, has something to say."""
        click.echo(self._lines.line(name, line, now=datetime.now(UTC)))

    def died(self, name: str, exit_code: int, restart_in_s: float) -> None:
        """A process ended by itself."""
        ended = how_it_ended(exit_code)
        self.said(OWN_NAME, f"{name} ended with {ended}; starting it again in {restart_in_s:g} s")

    def ready(self) -> None:
        """Everything runs."""
        for line in self.welcome:
            self.said(OWN_NAME, line)
        self.is_ready.set()

    def stopping(self) -> None:
        """Everything is about to be stopped."""
        self.before_stop()
        self.said(OWN_NAME, "stopping; Ctrl-C again ends everything at once")
