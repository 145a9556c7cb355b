"""Figures as a table: a column for each key, and whether the bars hold."""

from collections.abc import Mapping, Sequence

__all__ = ["table"]


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows of the same keys as text; `holds` is told as a verdict."""
    lines = [list(rows[0]), *([_shown(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "holds" if value else "MISSED"
    return str(value)
