"""Writes the contract for other languages: JSON Schema of the events, and AsyncAPI of the streams.

`python -m gateway.contract.schema DIRECTORY` writes them; they are kept in docs/schema, and a test
compares.
"""

import json
import sys
from pathlib import Path

from gateway.contract.asyncapi import asyncapi
from gateway.contract.json_schema import json_schema

__all__ = ["files"]


def files() -> dict[str, str]:
    """The documents by file name, as text."""
    documents = {"events.schema.json": json_schema(), "asyncapi.json": asyncapi()}
    return {
        name: json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        for name, document in documents.items()
    }


def main(directory: Path) -> None:
    """Write the documents."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (directory / name).write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
