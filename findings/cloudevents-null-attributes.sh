#!/usr/bin/env bash
# cloudevents 2.2.0, the SDK for Python, its new API (cloudevents.core)
#
# In the JSON format an attribute that is null is one that is not set: a reader must take both alike
# (serializers of many languages write unset properties so). The SDK refuses null for the attributes
# that it knows: for dataschema and subject with CloudEventValidationError, for time with a
# TypeError of its own code that no handler of its error class catches. A null extension it keeps,
# writes in the JSON format as null, and in HTTP binary mode leaves out.
#
# Expected: the same as without the attribute.
# What to do: take null attributes out before the SDK reads (all but `data`), and catch TypeError.
#
# Seen:
#   "subject": null      CloudEventValidationError
#   "dataschema": null   CloudEventValidationError
#   "time": null         TypeError: object of type 'NoneType' has no len()
#   "traceparent": null  read as None, header in binary mode: none
#
# https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md#22-type-system-mapping
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check --quiet install cloudevents==2.2.0

timeout 30 "$folder/venv/bin/python" - <<'PYTHON'
import json
import sys

from cloudevents.core.bindings.http import to_binary
from cloudevents.core.exceptions import BaseCloudEventException
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

EVENT = {"specversion": "1.0", "id": "1", "source": "urn:example", "type": "example"}


def read_with_null(attribute: str) -> str:
    try:
        event = JSONFormat().read(CloudEvent, json.dumps({**EVENT, attribute: None}).encode())
    except BaseCloudEventException as error:
        return type(error).__name__
    except TypeError as error:
        return f"TypeError: {error}"
    header = to_binary(event, JSONFormat()).headers.get(f"ce-{attribute}", "none")
    return f"read as {event.get_attributes()[attribute]}, header in binary mode: {header}"


seen = {one: read_with_null(one) for one in ("subject", "dataschema", "time", "traceparent")}
for attribute, told in seen.items():
    print(f'"{attribute}": null'.ljust(20), told)
refused = ["CloudEventValidationError"] * 2
sys.exit(not (list(seen.values())[:2] == refused and seen["time"].startswith("TypeError")
              and seen["traceparent"].startswith("read as None")))
PYTHON
