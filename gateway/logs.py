"""Sets up the logging of every process: JSON lines, or coloured lines on a terminal, on standard
error.

An event is a short fixed phrase, data stands in keys. Lines about an event carry `event_id`.
Secrets are kept out by whoever logs; masking by key here is a second fence, not the first. To log
neither waits nor raises (gateway.log_writing).
"""

import atexit
import logging
import sys
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor

from gateway.log_floods import Floods
from gateway.log_writing import LineWriter
from gateway.settings.sections.log_settings import LogSettings

__all__ = ["configure", "write_out"]

_SECRET: Final = frozenset(
    word + ending
    for word in ("token", "secret", "password", "authorization")
    for ending in ("", "s")
)
_HARMLESS: Final = frozenset(("digest", "digests", "server"))
# Of tokens an operator is told digests, to tell them apart; and a server is no secret.
_LAST_LINES_S: Final = 2.0
# How long the end of a process waits for whoever reads its log.
_writers: Final[list[LineWriter]] = []


def configure(settings: LogSettings, *, process: str, own: Sequence[str] = ()) -> None:
    """Set up structlog and the standard library's logging for this process, once.

    `process` stands in every line. Records of the standard library (aiohttp's, dlt's) come out in
    the same form, from the level `warning` up; those of the root logger and of the loggers in
    `own`, by name, and below them from the level of the settings up.
    """
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    in_colour = settings.format == "console" or (settings.format == "auto" and is_terminal)
    stamps: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _mask,
    ]
    last = _renderers(in_colour=in_colour)
    render = _Rendering([*stamps, *last])
    floods = Floods()

    def told(phrase: str, **about: object) -> str:
        return f"{render(None, 'warning', {'event': phrase, 'process': process, **about})}\n"

    def summaries() -> Iterator[str]:
        for (phrase, reason), lines in floods.left_out().items():
            yield told(phrase, **({"reason": reason} if reason else {}), left_out_lines=lines)

    writer = LineWriter(
        _descriptor(),
        told_of=lambda lines: told("log lines could not be written", lost_lines=lines),
        each_second=summaries,
    )
    _writers.append(writer)
    atexit.register(write_out)
    level = getattr(logging, settings.level.upper())
    structlog.configure(
        processors=[_Flooding(floods), render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=writer),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    handler = logging.StreamHandler(writer)
    formatter = structlog.stdlib.ProcessorFormatter
    handler.setFormatter(
        formatter(foreign_pre_chain=stamps, processors=[formatter.remove_processors_meta, *last])
    )
    handler.addFilter(_Wanted(level, own))
    least = min(level, logging.WARNING) if own else logging.WARNING
    logging.basicConfig(handlers=[handler], level=least, force=True)
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # what cannot be formatted would be told on standard error


def write_out() -> None:
    """Wait until what has been logged is written, for two seconds at most."""
    for writer in _writers:
        writer.close(_LAST_LINES_S)


def _renderers(*, in_colour: bool) -> list[Processor]:
    """What makes text of a line, at the end of the chain."""
    if not in_colour:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [
        structlog.dev.ConsoleRenderer(
            colors=True,
            pad_event_to=32,
            # Others show local variables, in which secrets stand.
            exception_formatter=structlog.dev.plain_traceback,
        )
    ]


class _Rendering:
    """A chain of processors as one that never raises, whatever stands in the line."""

    def __init__(self, processors: Sequence[Processor]) -> None:
        self._processors = processors

    def __call__(self, logger: Any, method: str, line: EventDict) -> str:
        phrase = line.get("event")
        try:
            return self._through(logger, method, line)
        except Exception as error:  # noqa: BLE001 - of a value that cannot be shown, whatever it is
            plain = {"event": str(phrase), "not_shown": type(error).__name__}
            return self._through(logger, method, plain)

    def _through(self, logger: Any, method: str, line: EventDict) -> str:
        result: Any = line
        for process in self._processors:
            result = process(logger, method, result)
        return str(result)


class _Flooding:
    """Leaves out warnings of which there are too many."""

    def __init__(self, floods: Floods) -> None:
        self._floods = floods

    def __call__(self, _logger: Any, method: str, line: EventDict) -> EventDict:
        if method == "warning":
            kind = (str(line.get("event")), str(line.get("reason", "")))
            if not self._floods.admits(kind, monotonic()):
                raise structlog.DropEvent
        return line


class _Wanted(logging.Filter):
    """Lets records of `own` loggers pass from `level` up, and others from `warning` up."""

    def __init__(self, level: int, own: Sequence[str]) -> None:
        super().__init__()
        self._level = level
        self._own = tuple(own)

    def filter(self, record: logging.LogRecord) -> bool:
        is_own = record.name == "root" or any(
            record.name == name or record.name.startswith(f"{name}.") for name in self._own
        )
        return record.levelno >= (self._level if is_own and self._own else logging.WARNING)


def _descriptor() -> int | None:
    """That of standard error; None if it was closed when the process began."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return None


def _mask(_logger: Any, _method: str, line: EventDict) -> EventDict:
    for key, value in line.items():
        if _is_secret(key) and not isinstance(value, bool | int | float | None):
            line[key] = "***"
    return line


def _is_secret(key: str) -> bool:
    """Going by a key's words: `refresh_token` is one, `token_digest` is none."""
    words = key.split("_")
    return not _SECRET.isdisjoint(words) and words[-1] not in _HARMLESS
