#!/usr/bin/env bash
# grafana-foundation-sdk on PyPI: what pip takes for the newest release is the one for the oldest Grafana
#
# Grafana's library for dashboards is released for each version of Grafana at a time, as
# `EPOCH!GRAFANA`, where the epoch is the second in which that build was made. Of one day's builds the
# one for Grafana 10.1 is made last, so its epoch is the largest, and an epoch outweighs all that
# follows it (PEP 440). An unpinned `pip install`, and every bound below, gives a library of 2023's
# schema; a range such as `>=11,<12` matches nothing at all, since its epoch is 0.
#
# Expected: the newest release is the one for the newest Grafana.
# What to do: name the whole version, epoch included, as `==1769699379!11.6.0`.
#
# Seen:
#   pip chooses 1769699998!10.1.0 of the releases of that day, which has one for 11.6.0
#   pip finds nothing for >=11,<12
#
# https://packaging.python.org/en/latest/specifications/version-specifiers/#version-epochs
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" --disable-pip-version-check)

# All builds of that day, the last of them included.
"${pip[@]}" --quiet install 'grafana-foundation-sdk>=1769699379!0,<=1769699998!10.1.0'
chosen=$("${pip[@]}" show grafana-foundation-sdk 2>/dev/null | sed -n 's/^Version: //p')
echo "pip chooses $chosen of the releases of that day, which has one for 11.6.0"
"${pip[@]}" --quiet download --no-deps --dest "$folder" 'grafana-foundation-sdk==1769699379!11.6.0'

if "${pip[@]}" --quiet download --no-deps --dest "$folder" 'grafana-foundation-sdk>=11,<12' 2>/dev/null; then
  echo "pip finds something for >=11,<12"
  exit 1
fi
echo "pip finds nothing for >=11,<12"
[ "$chosen" = '1769699998!10.1.0' ]
