"""The relay as the process that operators run, and events for it."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from tests.integration.relay.receivers import SECRET
from tests.support import program
from tests.support.consumer_process import ConsumerProcess, service
from tests.support.starting import finished

__all__ = [
    "EVENTS",
    "are_there",
    "endpoint",
    "gateway_command",
    "relay_command",
    "relay_process",
    "surroundings",
]

EVENTS = "b24:comments:{0}"


def endpoint(name: str, url: str, **options: Any) -> dict[str, Any]:
    """An entry of [[relay.endpoints]]."""
    return {"name": name, "url": url, "secrets": [SECRET], "timeout_s": 2} | options


def surroundings(*endpoints: Mapping[str, Any], port: int = 0, **options: Any) -> dict[str, str]:
    """The settings as variables; `port` is that of health and metrics."""
    relay = {"allow_networks": ["127.0.0.1/32"], "longest_pause_s": 1} | options
    return {
        f"GATEWAY_RELAY_{key}".upper(): msgspec.json.encode(value).decode()
        for key, value in (relay | {"endpoints": endpoints}).items()
    } | {
        "GATEWAY_CONSUMERS_PORT": str(port),
        "GATEWAY_CONSUMERS_LEASE_S": "2",
        "GATEWAY_CONSUMERS_GRACE_S": "4",
    }


def relay_process(
    redis_url: str, directory: Path, *endpoints: Mapping[str, Any], **options: Any
) -> AbstractContextManager[ConsumerProcess]:
    """`consumers run relay`, stopped at the end if it runs."""
    return service(redis_url, directory, name="relay", **surroundings(*endpoints, **options))


async def relay_command(
    *arguments: str, endpoints: Sequence[Mapping[str, Any]], **environment: str
) -> CompletedProcess[str]:
    """`gateway relay …` with these endpoints, once it has ended."""
    return await finished(
        (sys.executable, "-m", "gateway", "relay", *arguments),
        environment=program.surroundings() | surroundings(*endpoints) | environment,
    )


async def gateway_command(url: str, *arguments: str) -> CompletedProcess[str]:
    """A command about what there is in Redis, which has to succeed."""
    done = await finished(
        (sys.executable, "-m", "gateway", *arguments),
        environment=program.surroundings() | {"GATEWAY_REDIS_URL": url},
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done


async def are_there(redis: Redis, *names: str) -> bool:
    """Whether the groups of these endpoints are there: from then on they see every event."""
    try:
        groups: Any = await redis.xinfo_groups(EVENTS)
    except ResponseError:
        return False
    return {one["name"].decode() for one in groups} >= {f"relay-{name}" for name in names}
