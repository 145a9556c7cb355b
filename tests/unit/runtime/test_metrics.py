"""What docs/consumers.md says of the metrics is what there is."""

import re
from pathlib import Path

from consumers.runtime.metrics import Metrics

DOCS = Path(__file__).parents[3] / "docs" / "consumers.md"


def test_the_table_of_metrics_is_the_registry() -> None:
    described = re.findall(r"^\| `(b24_consumer_\w+)` \|", DOCS.read_text(), re.MULTILINE)
    exposed = [
        family.name + ("_total" if family.type == "counter" else "")
        for family in Metrics("group").registry.collect()
    ]

    assert sorted(described) == sorted(exposed)
