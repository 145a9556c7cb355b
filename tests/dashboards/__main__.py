"""Writes the dashboards: `python -m tests.dashboards FOLDER`."""

import sys
from pathlib import Path

from tests.dashboards.building import dashboards

for name, text in dashboards().items():
    (Path(sys.argv[1]) / name).write_text(text, encoding="utf-8")
