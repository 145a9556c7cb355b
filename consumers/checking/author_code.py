"""Finds the line of a consumer's author in a traceback, a stack or a function."""

import inspect
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any, Final

from msgspec import Struct

__all__ = ["Place", "line_in_frame", "line_in_traceback", "line_of_function"]

_PACKAGES: Final = Path(__file__).parents[1]
_OTHERS: Final = (
    *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    *(str(_PACKAGES / name) for name in ("runtime", "checking", "testing")),
    str(_PACKAGES.parent / "gateway"),
    "<",
)
"""Where code begins that the author has not written: Python's, of libraries, the runtime's."""


class Place(Struct, frozen=True):
    """A line of a file, and the function that it belongs to."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}, in {self.function}"


def line_in_traceback(error: BaseException) -> Place | None:
    """The author's innermost line on the way of an exception; None if it has none."""
    lines = [(one.tb_frame.f_code, one.tb_lineno) for one in _links(error.__traceback__)]
    return _innermost(reversed(lines))


def line_in_frame(frame: FrameType | None) -> Place | None:
    """The author's innermost line on a stack that ends with this frame; None if it has none."""
    return _innermost((one.f_code, one.f_lineno) for one in _outwards(frame))


def line_of_function(function: Callable[..., Any]) -> Place | None:
    """Where a handler is defined; None of what is no function of Python's."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return None if code is None else _place(code, code.co_firstlineno)


def _innermost(lines: Iterator[tuple[CodeType, int]]) -> Place | None:
    return next(
        (_place(code, line) for code, line in lines if not code.co_filename.startswith(_OTHERS)),
        None,
    )


def _place(code: CodeType, line: int) -> Place:
    file = Path(code.co_filename)
    here = Path.cwd()
    shown = file.relative_to(here) if file.is_relative_to(here) else file
    return Place(str(shown), line, code.co_qualname)


def _links(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
