#!/usr/bin/env bash
# cloudcoil 0.6.0: installed beside pytest, it keeps pytest from starting
#
# cloudcoil, and with it each of its packages of models (`cloudcoil-models-keda`, …), registers a plugin for
# pytest by an entry point. The plugin imports `filelock`, which only the extra `test` brings. pytest loads every
# plugin that is registered, so that a run of any tests, which need nothing of cloudcoil, ends before it begins.
#
# Expected: without the extra there is no plugin, or one that is silent.
# What to do: `-p no:cloudcoil`, in `addopts` and wherever a test starts pytest itself.
#
# Seen:
#   pytest without the plugin: 1 passed
#   pytest with it: exit code 1, ModuleNotFoundError: No module named 'filelock'
#
# https://packaging.python.org/en/latest/specifications/entry-points/
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check --quiet install \
  'cloudcoil==0.6.0' 'cloudcoil-models-keda==2.16.1.0' 'pytest==9.1.1'
cd "$folder"
echo 'def test_nothing() -> None: pass' > test_nothing.py

without=$("$folder/venv/bin/pytest" -q -p no:cloudcoil test_nothing.py | tail -1)
echo "pytest without the plugin: ${without% in *}"
code=0
said=$("$folder/venv/bin/pytest" -q test_nothing.py 2>&1) || code=$?
error=$(grep -o "ModuleNotFoundError: No module named '[a-z]*'" <<<"$said" | head -1)
echo "pytest with it: exit code $code, $error"
[[ $without == "1 passed"* && $code != 0 && $error == *"'filelock'" ]]
