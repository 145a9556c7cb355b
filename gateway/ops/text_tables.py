"""Writes tables for a terminal: columns as wide as their widest cell."""

from collections.abc import Sequence

from gateway.terminal import printable

__all__ = ["table"]


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lines of left-aligned columns; numbers to the right; None as `-`."""
    cells = [
        list(head),
        *(["-" if cell is None else printable(str(cell)) for cell in row] for row in rows),
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    is_number = [
        bool(rows) and all(isinstance(row[i], int | float | None) for row in rows)
        for i in range(len(head))
    ]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, is_number, strict=True)
        ).rstrip()
        for line in cells
    )


def _shown(cell: object) -> str:
    return "-" if cell is None else printable(str(cell))
