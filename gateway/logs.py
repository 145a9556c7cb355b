"""Logging of every process: JSON lines, or coloured lines on a terminal, on standard error.

An event is a short fixed phrase, data stands in keys. Lines about an event carry `event_id`.
Secrets are kept out by whoever logs; masking by key here is a second fence, not the first.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog
from msgspec import Struct

__all__ = ["LogSettings", "configure"]

LEVELS = ("debug", "info", "warning", "error")
_SECRET = ("token", "secret", "password", "authorization")


class LogSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[log]: how much, and in which form; `auto` is coloured on a terminal, else JSON."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least level that is logged."""
    format: Literal["auto", "json", "console"] = "auto"
    """`json` lines, coloured `console` lines, or `auto`: colour on a terminal, else JSON."""


def _mask(
    _logger: object, _method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key in line:
        if any(word in key for word in _SECRET):
            line[key] = "***"
    return line


def configure(settings: LogSettings, *, process: str) -> None:
    """Set up structlog and the standard library's logging for this process.

    `process` stands in every line. The standard library's records (aiohttp's, dlt's) from the
    level `warning` up come out in the same form.
    """
    in_colour = settings.format == "console" or (settings.format == "auto" and sys.stderr.isatty())
    stamps: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _mask,
    ]
    last: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=True, pad_event_to=32)]
        if in_colour
        else [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    )
    structlog.configure(
        processors=[*stamps, *last],
        wrapper_class=structlog.make_filtering_bound_logger(
            getattr(logging, settings.level.upper())
        ),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=stamps,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
