"""PHP itself as the judge of how a body is read."""

import json
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

from msgspec import Struct

from gateway.inbound.form import Limits

__all__ = ["LIMITS", "Answer", "PhpNode", "PhpParser", "find_php", "running_php"]

PhpNode: TypeAlias = bytes | dict[bytes, "PhpNode"]

LIMITS: Final = Limits(max_keys=20, max_depth=5)
"""Low, so that generated bodies reach them; PHP is started with the same ones."""

_SCRIPT: Final = Path(__file__).with_name("parse_str.php")
_REFUSALS: Final = {
    "Input variables exceeded": "too_many_keys",
    "Input variable nesting level exceeded": "too_deep",
}


class Answer(Struct, frozen=True):
    """What PHP makes of a body: its form, and what it warned of, in the words of `FormFault`."""

    form: PhpNode
    warnings: frozenset[str]


class PhpParser:
    """One process that answers any number of bodies."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._requests = process.stdin
        self._answers = process.stdout
        self.version = self._answers.readline().decode().strip()

    def parse_str(self, body: bytes) -> Answer:
        """PHP's answer; NUL bytes are escaped, since only `parse_str` and no request ends there."""
        body = body.replace(b"\0", b"%00")
        self._requests.write(struct.pack(">I", len(body)) + body)
        self._requests.flush()
        answer = json.loads(self._answers.readline())
        warnings = frozenset(_refusal(warning) for warning in answer["warnings"])
        return Answer(form=_node(answer["form"]), warnings=warnings)


def find_php() -> str | None:
    """The PHP on PATH, if there is one."""
    return shutil.which("php")


@contextmanager
def running_php(binary: str) -> Iterator[PhpParser]:
    """A parser for as long as the context lasts."""
    settings = {
        "display_errors": 0,  # PHP warns of too deep names only where nobody sees the page
        "max_input_vars": LIMITS.max_keys,
        "max_input_nesting_level": LIMITS.max_depth,
    }
    options = [f"-d{name}={value}" for name, value in settings.items()]
    with subprocess.Popen(
        [binary, "-n", *options, _SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield PhpParser(process)


def _node(plain: str | list[tuple[str, object]]) -> PhpNode:
    if isinstance(plain, str):
        return bytes.fromhex(plain)
    return {bytes.fromhex(key): _node(child) for key, child in plain}  # type: ignore[arg-type]


def _refusal(warning: str) -> str:
    return next(reason for text, reason in _REFUSALS.items() if text in warning)
