#!/usr/bin/env bash
# dlt 1.31.0, DuckDB 2.0.0 as the destination (PostgreSQL alike)
#
# dlt writes its whole schema, all tables that it ever had, as one row into `_dlt_version`, and from
# then on believes that a database with that row has those tables: it does not look. A table that was
# dropped (or not restored) is not made again when rows for it come: the load fails, and so does each
# later one, also from a new pipeline without any local state, for as long as the row is there.
#
# Expected: a table that is not there is made, as on the first load.
# What to do: delete the rows of `_dlt_version` together with a table. dlt says after such a failure to
# retry: that fails in the same way each time.
#
# Seen:
#   tables: _dlt_loads, _dlt_pipeline_state, _dlt_version, kept
#   the same pipeline:        Catalog Error: Table with name events does not exist!
#   a new one without state:  Catalog Error: Table with name events does not exist!
#   without the version rows: [(4,)]
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check --quiet install dlt==1.31.0 duckdb==2.0.0
cd "$folder"

RUNTIME__DLTHUB_TELEMETRY=false timeout 120 venv/bin/python - 2>log <<'PYTHON' || { tail -3 log; exit 1; }
import sys

import dlt
import duckdb

DATABASE = "warehouse.duckdb"


def load(table: str, number: int, *, state: str) -> str:
    destination = dlt.destinations.duckdb(DATABASE)
    pipeline = dlt.pipeline("one", destination=destination, dataset_name="data", pipelines_dir=state)
    try:
        pipeline.run([{"id": number}], table_name=table)
    except Exception as error:
        while error.__cause__:
            error = error.__cause__
        return str(error).splitlines()[0]
    return str(asked(f"SELECT id FROM data.{table}"))


def asked(query: str) -> list[tuple]:
    with duckdb.connect(DATABASE) as connection:
        return connection.execute(query).fetchall()


load("events", 1, state="first")
load("kept", 1, state="first")
asked("DROP TABLE data.events")
tables = asked("SELECT table_name FROM information_schema.tables ORDER BY 1")
same = load("events", 2, state="first")
fresh = load("events", 3, state="second")
asked("DELETE FROM data._dlt_version")
mended = load("events", 4, state="third")
print("tables:", ", ".join(name for (name,) in tables))
print("the same pipeline:       ", same)
print("a new one without state: ", fresh)
print("without the version rows:", mended)
gone = "Catalog Error: Table with name events does not exist!"
sys.exit((same, fresh, mended) != (gone, gone, "[(4,)]"))
PYTHON
