"""Writes tables for a terminal: columns as wide as their widest cell."""

from collections.abc import Collection, Sequence
from typing import Final

from gateway.terminal import printable

__all__ = ["TablePages", "named_counts", "span", "table"]


_LEAST_WIDTH: Final = 20


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    width: int | None = None,
    right: Collection[str] = (),
) -> str:
    """Lines of left-aligned columns; numbers, and columns named in `right`, to the right; None as
    `-`.

    With a `width`, that of the terminal, the last column is cut to what is left of it.
    """
    return TablePages(head, width=width, right=right).page(rows)


class TablePages:
    """Writes a table page by page, with its head on the first; columns only become wider."""

    def __init__(
        self, head: Sequence[str], *, width: int | None = None, right: Collection[str] = ()
    ) -> None:
        self._above = [list(head)]
        self._widths = [0] * len(head)
        self._width = width
        self._is_right = [name in right for name in head]

    def page(self, rows: Sequence[Sequence[object]]) -> str:
        """The lines of the next rows."""
        cells = [*self._above, *([_shown(cell) for cell in row] for row in rows)]
        self._above = []
        if self._width is not None:
            cells = _cut(cells, self._width)
        columns = zip(self._widths, zip(*cells, strict=True), strict=True)
        self._widths = [max(before, *map(len, column)) for before, column in columns]
        are_right = [
            named or (bool(rows) and all(isinstance(row[i], int | float | None) for row in rows))
            for i, named in enumerate(self._is_right)
        ]
        return "\n".join(
            "  ".join(
                cell.rjust(room) if is_right else cell.ljust(room)
                for cell, room, is_right in zip(line, self._widths, are_right, strict=True)
            ).rstrip()
            for line in cells
        )


def _shown(cell: object) -> str:
    return "-" if cell is None else printable(str(cell))


def _cut(cells: list[list[str]], width: int) -> list[list[str]]:
    left = width - sum(max(map(len, column)) + 2 for column in zip(*cells, strict=True))
    room = max(_LEAST_WIDTH, left + 2 + max(len(line[-1]) for line in cells))
    return [
        [*line[:-1], line[-1] if len(line[-1]) <= room else f"{line[-1][: room - 1]}…"]
        for line in cells
    ]


def named_counts(rows: Sequence[tuple[str, int]]) -> list[str]:
    """A line for each count: its name to the left, the number with separators to the right."""
    width = max(len(name) for name, _count in rows)
    return [f"{name:<{width}}  {count:>12,}" for name, count in rows]


def span(seconds: float) -> str:
    """A span of time by its two largest units: `3s`, `12m`, `2h05m`, `4d03h`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86_400
    if minutes < 60:
        return f"{minutes}m{whole % 60:02d}s" if minutes < 10 else f"{minutes}m"
    if days < 1:
        return f"{hours}h{minutes % 60:02d}m"
    return f"{days}d{hours % 24:02d}h"
