"""Ask PHP about every body of `bodies`, and keep its answers for machines without PHP."""

import json
import sys
from pathlib import Path
from typing import Any, Final

from tests.fuzz.bodies import assembled, oddities, wire_bodies
from tests.fuzz.php import Answer, PhpNode, find_php, running_php

__all__ = ["ANSWERS", "bodies_to_record", "main", "recorded"]

ANSWERS: Final = Path(__file__).with_name("php_answers.json")


def bodies_to_record() -> list[bytes]:
    """Each body once."""
    return list(dict.fromkeys([*oddities(), *wire_bodies(), *assembled(250, seed=24)]))


def recorded() -> dict[bytes, Answer]:
    """PHP's answers by body."""
    return {
        record["body"].encode("latin-1"): Answer(
            form=_loaded(record["form"]), warnings=frozenset(record["warnings"])
        )
        for record in json.loads(ANSWERS.read_text())["answers"]
    }


def main() -> int:
    """Write the answers, one a line, bytes as the characters of Latin-1."""
    binary = find_php()
    if binary is None:
        print("php is not on PATH; Debian's package is php-cli", file=sys.stderr)
        return 1
    with running_php(binary) as php:
        lines = [
            json.dumps({"body": body.decode("latin-1"), **_dumped(php.parse_str(body))})
            for body in bodies_to_record()
        ]
        head = json.dumps(php.version)
    ANSWERS.write_text(f'{{"php": {head}, "answers": [\n' + ",\n".join(lines) + "\n]}\n")
    print(f"{len(lines)} answers of PHP {head} in {ANSWERS.name}")
    return 0


def _dumped(answer: Answer) -> dict[str, Any]:
    return {"form": _text(answer.form), "warnings": sorted(answer.warnings)}


def _text(node: PhpNode) -> Any:
    if isinstance(node, bytes):
        return node.decode("latin-1")
    return {key.decode("latin-1"): _text(child) for key, child in node.items()}


def _loaded(node: Any) -> PhpNode:
    if isinstance(node, str):
        return node.encode("latin-1")
    return {key.encode("latin-1"): _loaded(child) for key, child in node.items()}


if __name__ == "__main__":
    sys.exit(main())
