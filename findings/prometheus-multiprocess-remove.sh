#!/usr/bin/env bash
# prometheus_client 0.26.0 with PROMETHEUS_MULTIPROC_DIR
#
# remove() takes the series of some labels out of a metric: of a queue that was deleted, a tenant that
# left. In multiprocess mode it takes it out of the process's memory only. The value stays in the
# process's file, which is what a scrape reads, and is told for as long as the file is there: with
# mode max even after the process has ended. An alarm on it never ends. All that tells of it is a
# UserWarning.
#
# Expected: the series is gone from the next scrape.
# What to do: set a gauge to a value that no alarm minds before removing it (0), and let alarms look
# at such a value; or keep gauges of things that come and go in one process without that mode.
#
# Seen:
#   alone:        nothing after remove()
#   multiprocess: waiting{queue="gone"} 7.0 after remove()
#   multiprocess, the process ended: waiting{queue="gone"} 7.0
#
# https://prometheus.github.io/client_python/multiprocess/
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check --quiet install prometheus_client==0.26.0
cd "$folder"
cat >removing.py <<'PYTHON'
import os
import warnings

from prometheus_client import REGISTRY, CollectorRegistry, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

warnings.simplefilter("ignore")
is_multiprocess = "PROMETHEUS_MULTIPROC_DIR" in os.environ
waiting = Gauge("waiting", "Entries of a queue", ["queue"], multiprocess_mode="max")
waiting.labels("gone").set(7)
waiting.remove("gone")
registry = REGISTRY
if is_multiprocess:
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
text = generate_latest(registry).decode()
print(*([line for line in text.splitlines() if line.startswith("waiting{")] or ["nothing"]))
PYTHON
cat >scrape.py <<'PYTHON'
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

registry = CollectorRegistry()
MultiProcessCollector(registry)
text = generate_latest(registry).decode()
print(*([line for line in text.splitlines() if line.startswith("waiting{")] or ["nothing"]))
PYTHON
alone=$(timeout 20 venv/bin/python removing.py)
mkdir metrics
export PROMETHEUS_MULTIPROC_DIR=metrics
together=$(timeout 20 venv/bin/python removing.py)
ended=$(timeout 20 venv/bin/python scrape.py)
echo "alone:        $alone after remove()"
echo "multiprocess: $together after remove()"
echo "multiprocess, the process ended: $ended"
[[ $alone = nothing && $together = 'waiting{queue="gone"} 7.0' && $ended = "$together" ]]
