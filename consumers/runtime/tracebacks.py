"""Shows where a handler raised, for logs and dead letters: the author's frames, without values."""

from collections.abc import Iterator
from pathlib import Path
from traceback import StackSummary, TracebackException
from types import TracebackType
from typing import Final

from consumers.runtime.redaction import redacted

__all__ = ["since_module", "traceback_of"]

_MAX_LENGTH: Final = 4000
"""Characters: some forty frames. What is cut off is the beginning, which is farthest from the
mistake."""

_RUNTIME: Final = str(Path(__file__).parent)


def traceback_of(error: BaseException) -> str:
    """The traceback of what a handler raised, from its own first frame; empty without one.

    The causes are part of it. Secrets are kept out as by `describe`; local variables are not shown.
    """
    frames = _of_the_author(error.__traceback__)
    if frames is None and error.__cause__ is None and error.__context__ is None:
        return ""
    try:
        told = TracebackException(type(error), error, frames)
        text = redacted("".join(told.format()).rstrip())
    except Exception:  # noqa: BLE001 - formatting asks the service's own classes for their text
        return ""
    return text if len(text) <= _MAX_LENGTH else f"...\n{text[-_MAX_LENGTH:]}"


def since_module(error: BaseException) -> str:
    """The traceback of what the import of a module raised, from its own frame on, without ours."""
    frames = next(
        (
            one
            for one in _links(error.__traceback__)
            if one.tb_frame.f_code.co_name == "<module>"
            and not one.tb_frame.f_code.co_filename.startswith((_RUNTIME, "<frozen"))
            and one.tb_frame.f_globals.get("__name__") != "__main__"
        ),
        None,
    )
    told = TracebackException(type(error), error, frames)
    told.stack = StackSummary.from_list(
        [frame for frame in told.stack if not frame.filename.startswith(_RUNTIME)]
    )
    return "".join(told.format()).rstrip()


def _of_the_author(traceback: TracebackType | None) -> TracebackType | None:
    """What is left of a traceback without the frames of the runtime that called the handler."""
    return next(
        (
            one
            for one in _links(traceback)
            if not one.tb_frame.f_code.co_filename.startswith(_RUNTIME)
        ),
        None,
    )


def _links(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next
