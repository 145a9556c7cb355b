"""Prints entries as lines, as JSON, or in a form of one's own, and not too many a second."""

import string
import time
from collections.abc import Callable, Mapping
from typing import Final

import click

from gateway.contract import AppEvent, CommentEvent
from gateway.ops import entry_lines
from gateway.ops.entry_lines import ReadEntry
from gateway.terminal import printable

__all__ = ["FORMAT_NAMES", "Printing", "printer_of"]

FORMAT_NAMES: Final = ("time", "type", "subject", "portal", "user", "text", "id", "entry", "stream")
_TOLD_EACH_S: Final = 1.0


def printer_of(*, form: str | None, as_json: bool) -> Callable[[ReadEntry], str]:
    """What makes a line of an entry. Raises BadParameter for names that there are not."""
    if as_json:
        return entry_lines.as_json
    if form is None:
        return entry_lines.as_line
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(form) if name is not None}
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--format") from error
    if unknown := sorted(names - set(FORMAT_NAMES)):
        raise click.BadParameter(
            f"{', '.join(unknown)}: there are {', '.join(FORMAT_NAMES)}", param_hint="--format"
        )
    return lambda entry: printable(form.format_map(_values(entry)))


def _values(entry: ReadEntry) -> Mapping[str, str]:
    event = entry.event
    values = dict.fromkeys(FORMAT_NAMES, "-") | {
        "id": "-",
        "entry": entry.id,
        "stream": entry.stream,
    }
    if event is None:
        return values
    names = entry_lines.portal_names(event)
    values |= {
        "time": event.receivedat,
        "type": event.type,
        "subject": event.subject,
        "portal": names[-1] or names[0] or "-",
        "id": event.id,
    }
    if isinstance(event, CommentEvent | AppEvent) and event.data.user_id is not None:
        values["user"] = str(event.data.user_id)
    if isinstance(event, CommentEvent) and event.data.comment:
        values["text"] = event.data.comment.text_plain or event.data.comment.text or ""
    return values


class Printing:
    """Prints entries, at most `per_second`; `tell` hears how many were skipped, once a second."""

    def __init__(
        self,
        line_of: Callable[[ReadEntry], str],
        *,
        per_second: float | None,
        tell: Callable[[str], None],
    ) -> None:
        self._line_of = line_of
        self._per_second = per_second
        self._tell = tell
        self._second = -1
        self._shown_in_second = 0
        self._skipped = 0
        self.shown = 0

    def show(self, entry: ReadEntry) -> bool:
        """Print an entry, or skip it; whether it is printed."""
        if self._per_second is not None:
            second = int(time.monotonic() / _TOLD_EACH_S)
            if second != self._second:
                self.tell_skipped()
                self._second, self._shown_in_second = second, 0
            if self._shown_in_second >= self._per_second:
                self._skipped += 1
                return False
            self._shown_in_second += 1
        click.echo(self._line_of(entry))
        self.shown += 1
        return True

    def tell_skipped(self) -> None:
        """Say how many were skipped since this was said last, if any were."""
        if self._skipped:
            self._tell(f"{self._skipped} entries skipped")
            self._skipped = 0
