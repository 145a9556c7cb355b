#!/usr/bin/env bash
# dlt 1.31.0, merge with strategy "upsert", DuckDB 2.0.0 as the destination
#
# A load that has two rows of one key is refused if the key is in the table already: DuckDB says that
# it cannot affect a row twice. If the key is new, both rows are inserted, without a word, into a table
# whose primary key dlt knows but does not declare. Later loads of that key update both. So one
# repeated event makes a double that no later load mends, or stops the pipeline, depending on whether
# the key was there.
#
# Expected: the same in both cases, and one row for each key.
# What to do: keep one row of each key before it goes to dlt (dedup_sort does nothing in this
# strategy), or take "delete-insert", which removes doubles of a load by itself.
#
# Seen:
#   a new key twice:           [(1, 'first'), (1, 'second')]
#   then once more:            [(1, 'third'), (1, 'third')]
#   a known key twice:         MERGE INTO command cannot affect the same target row more than once.
#   delete-insert, new twice:  [(1, 'first')]
#
# https://dlthub.com/docs/general-usage/merge-loading#upsert-strategy
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check --quiet install dlt==1.31.0 duckdb==2.0.0
cd "$folder"

RUNTIME__DLTHUB_TELEMETRY=false timeout 300 venv/bin/python - 2>log <<'PYTHON' || { tail -3 log; exit 1; }
import sys

import dlt
import duckdb


def loaded(*rows: tuple[int, str], strategy: str = "upsert") -> str:
    database = f"{strategy}.duckdb"
    destination = dlt.destinations.duckdb(database)
    disposition = {"disposition": "merge", "strategy": strategy}
    pipeline = dlt.pipeline(
        strategy, destination=destination, dataset_name="data", pipelines_dir="pipelines"
    )
    try:
        pipeline.run(
            [{"id": key, "text": text} for key, text in rows],
            table_name="events", primary_key="id", write_disposition=disposition,
        )
    except Exception as error:
        while error.__cause__:
            error = error.__cause__
        return str(error).removeprefix("Invalid Input Error: ").split(".")[0] + "."
    with duckdb.connect(database) as connection:
        return str(connection.execute("SELECT id, text FROM data.events ORDER BY text").fetchall())


new = loaded((1, "first"), (1, "second"))
later = loaded((1, "third"))
known = (loaded((2, "first")), loaded((2, "second"), (2, "third")))[1]
replaced = loaded((1, "first"), (1, "second"), strategy="delete-insert")
print("a new key twice:         ", new)
print("then once more:          ", later)
print("a known key twice:       ", known)
print("delete-insert, new twice:", replaced)
sys.exit(not (
    new == "[(1, 'first'), (1, 'second')]" and later == "[(1, 'third'), (1, 'third')]"
    and known == "MERGE INTO command cannot affect the same target row more than once."
    and replaced.count("(1, ") == 1
))
PYTHON
