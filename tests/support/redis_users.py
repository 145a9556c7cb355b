"""A user of Redis with chosen rights, such as the documentation names."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

__all__ = ["denied", "limited_url", "rights_of", "users"]

PAGE = Path(__file__).parents[2] / "docs" / "redis-rights.md"
USER, PASSWORD = "limited", "fake-password"


def rights_of(name: str) -> list[str]:
    """The words after the password of the user that the page documents under this name."""
    (line,) = re.findall(rf"ACL SETUSER {name} on >\S+([^`]+)```", PAGE.read_text())
    return str(line).split()


async def denied(redis: Redis) -> list[str]:
    """What Redis has refused since the test began, each as its reason and what was refused."""
    client: Any = redis
    rows = await client.execute_command("ACL", "LOG")
    return sorted({f"{row[b'reason'].decode()} {row[b'object'].decode()}" for row in rows})


@pytest.fixture
async def users(redis: Redis) -> AsyncIterator[Any]:
    """Gives the user the rights that are named, and no others."""
    client: Any = redis

    async def allow(*rights: str) -> None:
        command = ("ACL", "SETUSER", USER, "reset", "on", f">{PASSWORD}")
        await client.execute_command(*command, *rights)

    await client.execute_command("ACL", "LOG", "RESET")
    yield allow
    await client.execute_command("ACL", "DELUSER", USER)


@pytest.fixture
def limited_url(redis_url: str) -> str:
    return redis_url.replace("redis://", f"redis://{USER}:{PASSWORD}@")
