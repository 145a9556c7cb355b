"""The tables of `make test-faults` and `make test-topologies`: printed, and written as JSON."""

from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec import json

__all__ = ["write_report"]

_DIRECTORY: Final = Path("var")
_COLUMNS: Final = (
    "sent",
    "accepted",
    "spooled",
    "refused",
    "unanswered",
    "stored",
    "lost",
    "duplicated",
    "out_of_order",
    "seconds_without_200",
    "untrue_probes",
)


_HEADINGS: Final = " | ".join(column.replace("_", " ") for column in _COLUMNS)


def write_report(reporter: pytest.TerminalReporter) -> None:
    """Print a row for each scenario and server that ran or could not, and write them all.

    Each table by itself: `faults`, or the one that a test names.
    """
    rows = [
        row
        for outcome in ("", "passed", "failed", "error", "skipped")
        for report in reporter.stats.get(outcome, [])
        if (row := _row(report)) is not None
    ]
    rows.sort(key=itemgetter("table", "scenario", "server"))
    for table, some in groupby(rows, key=itemgetter("table")):
        _write(reporter, table, list(some))


def _write(reporter: pytest.TerminalReporter, table: str, rows: list[dict[str, Any]]) -> None:
    file = _DIRECTORY / f"{table}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(json.format(json.encode(rows)) + b"\n")
    reporter.section(table)
    for line in (*_table(rows), "", *_sums(rows)):
        reporter.write_line(line)
    reporter.write_line(f"written to {file}")


def _row(report: pytest.TestReport) -> dict[str, Any] | None:
    about: dict[str, Any] = dict(report.user_properties)
    # The account is known when the stage has been taken down; a test that never ran has none.
    if "scenario" not in about or report.when != "teardown":
        return None
    row = {name: about[name] for name in ("scenario", "server")}
    row["table"] = about.get("table", "faults")
    if "account" in about:
        account: dict[str, Any] = about["account"]
        return row | account
    return row | {"remark": about.get("remark", "failed")}


def _table(rows: list[dict[str, Any]]) -> list[str]:
    lines = [f"| scenario | server | {_HEADINGS} |", f"|---|---|{'---:|' * len(_COLUMNS)}"]
    for row in rows:
        figures = (
            [row["remark"], *[""] * (len(_COLUMNS) - 1)]
            if "remark" in row
            else [str(row[column]) for column in _COLUMNS]
        )
        lines.append(f"| {row['scenario']} | {row['server']} | {' | '.join(figures)} |")
    return lines


def _sums(rows: list[dict[str, Any]]) -> list[str]:
    """Over all servers, as docs/reliability.md has them; of the seconds the most."""
    lines = [f"| scenario, all servers | {_HEADINGS} |", f"|---|{'---:|' * len(_COLUMNS)}"]
    for scenario, some in groupby(rows, key=itemgetter("scenario")):
        accounts = [row for row in some if "remark" not in row]
        if accounts:
            figures = [
                (max if column.startswith("seconds") else sum)(row[column] for row in accounts)
                for column in _COLUMNS
            ]
            lines.append(f"| {scenario} | {' | '.join(f'{figure:,}' for figure in figures)} |")
    return lines
