#!/usr/bin/env bash
# cloudevents 2.2.0, the SDK for Python, its new API (cloudevents.core)
#
# `time` is optional in a CloudEvent. An event without one has one as soon as the SDK has read it: the
# time of reading, as if the producer had said so. Reading the same bytes twice gives two times, and
# written out again (to the next service, to a log) the event has the invented time in it for good.
#
# Expected: no `time`, as in the event.
# What to do: look into the raw event before the SDK does where it matters who knew the time; do not
# order or merge by `time` what has passed through this SDK.
#
# Seen:
#   read 1st: time 2026-11-27 23:01:12.950441+00:00
#   read 2nd: time 2026-11-27 23:01:12.963940+00:00
#   written again: {"specversion": "1.0", "id": "1", "source": "urn:example", "type": "example", "time": "2026-11-27T23:01:12.950441Z"}
#
# https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#time
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check --quiet install cloudevents==2.2.0

timeout 30 "$folder/venv/bin/python" - <<'PYTHON'
import sys
import time

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

WITHOUT_TIME = b'{"specversion":"1.0","id":"1","source":"urn:example","type":"example"}'

first = JSONFormat().read(CloudEvent, WITHOUT_TIME)
time.sleep(0.01)
second = JSONFormat().read(CloudEvent, WITHOUT_TIME)
again = JSONFormat().write(first)
print("read 1st: time", first.get_time())
print("read 2nd: time", second.get_time())
print("written again:", again.decode())
sys.exit(not (first.get_time() and first.get_time() != second.get_time() and b'"time"' in again))
PYTHON
