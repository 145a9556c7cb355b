#!/usr/bin/env bash
# msgspec 0.22.0, next to datetime.fromisoformat (Python 3.11), pydantic 2.14.3 and DuckDB 2.0.0
#
# A time with more than six digits of a second, as .NET (seven) and Go (nine) write it, is rounded to
# microseconds by msgspec, and cut by the others. So the last instant of a day (or month, or year) is
# the next day for msgspec alone: two services, or a service and its warehouse, put one event into
# different days and different partitions, and what was compared for equality differs by 1 µs.
#
# Expected: digits beyond the sixth are cut, as everywhere else in Python; or refused.
# What to do: take the time as text and convert it with datetime.fromisoformat (a dec_hook is not
# asked for datetimes), or cut the text first.
#
# Seen:
#   2026-12-31T23:59:59.9999999Z
#   fromisoformat: 2026-12-31 23:59:59.999999+00:00
#   pydantic:      2026-12-31 23:59:59.999999+00:00
#   DuckDB:        2026-12-31 23:59:59.999999+00
#   msgspec:       2027-01-01 00:00:00+00:00
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check --quiet install msgspec==0.22.0 pydantic==2.14.3 duckdb==2.0.0

timeout 30 "$folder/venv/bin/python" - <<'PYTHON'
import sys
from datetime import datetime

import duckdb
import msgspec
import pydantic

LAST = "2026-12-31T23:59:59.9999999Z"

connection = duckdb.connect()
connection.execute("SET TimeZone = 'UTC'")
seen = {
    "fromisoformat": datetime.fromisoformat(LAST),
    "pydantic": pydantic.TypeAdapter(datetime).validate_python(LAST),
    "DuckDB": connection.execute("SELECT ?::TIMESTAMPTZ::TEXT", [LAST]).fetchone()[0],
    "msgspec": msgspec.convert(LAST, datetime),
}
print(LAST)
for reader, time in seen.items():
    print(f"{reader}:".ljust(14), time)
sys.exit([str(time)[:4] for time in seen.values()] != ["2026", "2026", "2026", "2027"])
PYTHON
