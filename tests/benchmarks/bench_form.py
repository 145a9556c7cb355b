"""Microseconds to read one body: the standard library's decoder, the whole form, the fields needed.

The readers take turns of a few milliseconds, so that a busy machine slows all of them alike, and
the median turn counts. `--json` prints the same as JSON.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

from gateway.inbound.form import parse_form
from gateway.inbound.form_fields import extract

WIRE: Final = Path(__file__).parent.parent / "wire"
READERS: Final[dict[str, Callable[[bytes], Any]]] = {
    "parse_qsl": parse_qsl,
    "parse_form": parse_form,
    "extract": extract,
}
TURNS: Final = 50
CALLS_PER_TURN: Final = 100


def microseconds(body: bytes) -> dict[str, float]:
    """The median cost of a body by reader."""
    turns: dict[str, list[int]] = {name: [] for name in READERS}
    for _ in range(TURNS):
        for name, read in READERS.items():
            started = time.perf_counter_ns()
            for _ in range(CALLS_PER_TURN):
                read(body)
            turns[name].append(time.perf_counter_ns() - started)
    return {
        name: round(statistics.median(costs) / CALLS_PER_TURN / 1_000, 1)
        for name, costs in turns.items()
    }


def main() -> None:
    """Measure all bodies of tests/wire."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json", action="store_true", help="print JSON instead of a table")
    as_json = arguments.parse_args().json
    rows = []
    for path in sorted(WIRE.glob("*.form")):
        body = path.read_bytes()
        size = {"bytes": len(body), "keys": body.count(b"&") + 1}
        rows.append({"body": path.stem, **size, **microseconds(body)})
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'µs per body':40}" + "".join(f"{name:>11}" for name in list(rows[0])[1:]))
    for row in rows:
        print(f"{row['body']:40}" + "".join(f"{value:>11}" for value in list(row.values())[1:]))


if __name__ == "__main__":
    main()
