"""Asking `gateway explain` as an operator does, by a process, and what it answers."""

import json
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tests.support.program import surroundings
from tests.support.starting import finished

__all__ = ["explained", "told"]

NOTHING: Mapping[str, str] = MappingProxyType({})
SLOWLY = ("--within", "30")
"""Or a busy machine would answer that there was no time."""
_MOST_S = 60.0


async def explained(
    url: str, *arguments: str, exit_code: int = 0, environ: Mapping[str, str] = NOTHING
) -> dict[str, Any]:
    """The answer as data."""
    found: dict[str, Any] = json.loads(
        await told(url, *arguments, "--json", exit_code=exit_code, environ=environ)
    )
    return found


async def told(
    url: str, *arguments: str, exit_code: int = 0, environ: Mapping[str, str] = NOTHING
) -> str:
    """The answer as text."""
    done = await finished(
        (sys.executable, "-m", "gateway", "explain", *SLOWLY, *arguments),
        environment=surroundings() | {"GATEWAY_REDIS_URL": url} | dict(environ),
        timeout_s=_MOST_S,
    )
    assert done.returncode == exit_code, (done.returncode, done.stdout, done.stderr)
    return str(done.stdout)
