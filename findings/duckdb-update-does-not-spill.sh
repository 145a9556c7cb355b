#!/usr/bin/env bash
# DuckDB 2.0.0, a file of 500,000 rows of 150 characters, memory_limit 128 MB, one thread
#
# DuckDB spills sorts, joins and inserts to disk, but not what it needs to undo an UPDATE: changed
# rows are held in memory until the transaction ends. An UPDATE of all rows, or a MERGE that updates
# them, raises OutOfMemoryException where deleting the same rows and inserting them anew, in one
# transaction and under the same limit, passes. So how much a load may change at once depends on
# whether rows are there already: what was inserted without trouble cannot be loaded a second time.
#
# Expected: the same limit holds for the same rows, or UPDATE spills, too.
# What to do: delete and insert where many rows change, or update in parts, each in a transaction.
#
# Seen:
#   UPDATE: OutOfMemoryException
#   MERGE that updates: OutOfMemoryException
#   DELETE and INSERT: 500000 rows changed
#
# https://duckdb.org/docs/stable/operations_manual/limits
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check --quiet install duckdb==2.0.0
cd "$folder"

timeout 180 venv/bin/python - <<'PYTHON'
import sys

import duckdb

with duckdb.connect("data.duckdb") as connection:
    for table, letter in (("old", "x"), ("new", "y")):
        text = f"repeat('{letter}', 150) || i"
        connection.execute(f"CREATE TABLE {table} AS SELECT i AS id, {text} AS text FROM range(500000) r(i)")

WAYS = {
    "UPDATE": ["UPDATE old SET text = new.text FROM new WHERE old.id = new.id"],
    "MERGE that updates": [
        "MERGE INTO old USING new ON old.id = new.id WHEN MATCHED THEN UPDATE SET text = new.text"
    ],
    "DELETE and INSERT": [
        "DELETE FROM old WHERE id IN (SELECT id FROM new)", "INSERT INTO old SELECT * FROM new"
    ],
}


def outcome(statements: list[str]) -> str:
    with duckdb.connect("data.duckdb") as connection:
        for setting in ("memory_limit = '128MB'", "threads = 1", "temp_directory = 'spilled'"):
            connection.execute(f"SET {setting}")
        connection.execute("BEGIN")
        try:
            for statement in statements:
                connection.execute(statement)
        except duckdb.Error as error:
            return type(error).__name__
        changed = connection.execute("SELECT count(*) FROM old WHERE text LIKE 'y%'").fetchone()[0]
        connection.execute("ROLLBACK")
        return f"{changed} rows changed"


seen = {way: outcome(statements) for way, statements in WAYS.items()}
for way, result in seen.items():
    print(f"{way}: {result}")
sys.exit(list(seen.values()) != ["OutOfMemoryException"] * 2 + ["500000 rows changed"])
PYTHON
