"""Makes one terminal's lines of the output of several processes. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final

import msgspec

from gateway.contract import timestamps

__all__ = ["Lines"]

_NAMES: Final = ("36", "35", "34", "32", "33", "96", "95", "94", "92", "93")
_LEVELS: Final = {"warning": "33", "error": "31", "critical": "31"}
_DIM: Final = "2"
_KNOWN: Final = frozenset({"event", "level", "timestamp", "process", "exception"})
# Everything that moves a cursor; what is left of a colour sequence is harmless.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f\x80-\x9f]|\x1b(?!\[[0-9;]*m)")


class Lines:
    """Makes lines of `names`, each with its own colour if `in_colour`.

    A JSON log line becomes a sentence with its keys after it, at its own time in `zone` (None is
    this machine's); any other line stays as it is. With `as_json` JSON lines stay too, and others
    become JSON.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        in_colour: bool,
        as_json: bool,
        zone: tzinfo | None,
    ) -> None:
        self._width = max(map(len, names))
        self._colours = {name: _NAMES[at % len(_NAMES)] for at, name in enumerate(names)}
        self._in_colour = in_colour
        self._as_json = as_json
        self._zone = zone

    def line(self, name: str, text: str, *, now: datetime) -> str:
        """What to print for a line of output; more than one line if it tells an exception."""
        said = _log_line(text)
        if self._as_json:
            if said is not None:
                return text
            stamp = timestamps.milliseconds_of(now)
            told = {"process": name, "event": text, "level": "info", "timestamp": stamp}
            return msgspec.json.encode(told).decode()
        if said is None:
            return self._prefixed(name, now, text)
        rows = [self._sentence(said), *str(said.get("exception", "")).splitlines()]
        moment = _moment(said.get("timestamp")) or now
        return "\n".join(self._prefixed(name, moment, row) for row in rows)

    def _sentence(self, said: Mapping[str, Any]) -> str:
        level = str(said.get("level", "info"))
        event = str(said["event"])
        if level in _LEVELS:
            event = self._painted(f"{level}: {event}", _LEVELS[level])
        keys = [f"{key}={_value(value)}" for key, value in said.items() if key not in _KNOWN]
        return "  ".join([event, *([self._painted(" ".join(keys), _DIM)] if keys else [])])

    def _prefixed(self, name: str, moment: datetime, text: str) -> str:
        time = self._painted(f"{moment.astimezone(self._zone):%H:%M:%S}", _DIM)
        padded = self._painted(name.ljust(self._width), self._colours.get(name, "0"))
        return f"{time} {padded}  " + _CONTROL.sub("\ufffd", text)

    def _painted(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._in_colour else text


def _log_line(text: str) -> dict[str, Any] | None:
    """The keys of a structured log line, or None if it is something else."""
    if not text.startswith("{"):
        return None
    try:
        said = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        return None
    return said if "event" in said else None


def _moment(stamp: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(stamp))
    except ValueError:
        return None


def _value(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return repr(text) if not text or " " in text or not text.isprintable() else text
