"""The table of `make test-faults`: printed, and written as JSON."""

from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec import json

__all__ = ["write_report"]

_FILE: Final = Path("var") / "faults.json"
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
    """Print a row for each scenario and server that ran or could not, and write them all."""
    rows = [
        row
        for outcome in ("", "passed", "failed", "error", "skipped")
        for report in reporter.stats.get(outcome, [])
        if (row := _row(report)) is not None
    ]
    rows.sort(key=lambda row: (row["scenario"], row["server"]))
    _FILE.parent.mkdir(exist_ok=True)
    _FILE.write_bytes(json.format(json.encode(rows)) + b"\n")
    reporter.section("faults")
    for line in (*_table(rows), "", *_sums(rows)):
        reporter.write_line(line)
    reporter.write_line(f"written to {_FILE}")


def _row(report: pytest.TestReport) -> dict[str, Any] | None:
    about: dict[str, Any] = dict(report.user_properties)
    # The account is known when the stage has been taken down; a test that never ran has none.
    if "scenario" not in about or (report.when != "teardown" and not report.skipped):
        return None
    row = {"scenario": about["scenario"], "server": about["server"]}
    if "account" in about:
        account: dict[str, Any] = about["account"]
        return row | account
    told = about.get("remark", "failed")
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else told
    return row | {"remark": reason.removeprefix("Skipped: ")}


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
