#!/usr/bin/env bash
# The package sqlite3 of Debian 12 (3.40.1-2+deb12u2)
#
# `.recover`, the shell's way to save what can be read from a damaged database, fails on every file,
# a sound one of one table and two rows among them: it writes a head of pragmas and no row, says "sql
# error: SQL logic error (1)", and exits with 1. Who pipes its output into a new database, as the
# documentation shows, has an empty one, and without pipefail nothing but one line tells so.
#
# Expected: the statements that make the table and its rows.
# What to do: copy the damaged file to where a newer sqlite3 is (Debian 13 has 3.46; not run here).
# `.dump` works, as far as pages can be read.
#
# Seen:
#   3.40.1 2022-12-28 14:03:47 df5c253c0b3dd24916e4ec7cf77d3db5294cc9fd45ae7b9c5e82ad8197f3alt1
#   .recover: exit 1, sql error: SQL logic error (1), 0 rows
#   .dump:    exit 0, 2 rows; integrity_check: ok
#
# https://sqlite.org/recovery.html
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
packages=(sqlite3 libsqlite3-0)
apt-get -qq download "${packages[@]}" 2>log || { apt-get -qq update; apt-get -qq download "${packages[@]}" 2>log; }
for package in *.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH=root/usr/lib/$(uname -m)-linux-gnu
sqlite3=root/usr/bin/sqlite3

"$sqlite3" --version
"$sqlite3" sound.db 'CREATE TABLE events (id TEXT); INSERT INTO events VALUES (1), (2);'
status=0
"$sqlite3" sound.db .recover >recovered 2>errors || status=$?
echo ".recover: exit $status, $(cat errors), $(grep -c '^INSERT' recovered || true) rows"
dumped=$("$sqlite3" sound.db .dump | grep -c '^INSERT')
echo ".dump:    exit 0, $dumped rows; integrity_check: $("$sqlite3" sound.db 'PRAGMA integrity_check')"
[[ $status = 1 && $dumped = 2 ]] && ! grep -q '^INSERT' recovered
