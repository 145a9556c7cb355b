"""Users of Redis with the rights of deploy/redis/users.acl, or with others that a test chooses."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.doctor.redis_accounts import consumer_account

__all__ = [
    "PASSWORD",
    "USER",
    "acl_file_in",
    "denied",
    "limited_url",
    "line_of_service",
    "rights_of",
    "service_rights",
    "url_of",
    "users",
    "without",
]

_FILE = Path(__file__).parents[2] / "deploy" / "redis" / "users.acl"
USER, PASSWORD = "limited", "fake-password"


def rights_of(name: str) -> list[str]:
    """What stands behind the password of a user; a selector is one of these, in parentheses."""
    (line,) = re.findall(rf"^user {name} on >\S+ (.+)$", _FILE.read_text(), re.MULTILINE)
    return re.findall(r"\([^)]*\)|\S+", line)


def service_rights(group: str, stream: str = "comments") -> list[str]:
    """The rights that a service of another team is given for a group, made as `service` is."""
    return consumer_account(group, stream).words()


def without(rights: list[str], *taken: str) -> list[str]:
    """The same rights, but for some commands or keys, which no selector allows either."""
    gone = {f"+{one}" for one in taken} | {f"~{one}" for one in taken}
    kept = [
        f"({' '.join(word for word in one[1:-1].split() if word not in gone)})"
        if one.startswith("(")
        else one
        for one in rights
    ]
    return [one for one in kept if one not in gone]


def acl_file_in(directory: Path, *lines: str) -> Path:
    """A copy of the file for a server of a test's own, with the default user left for the test.

    `lines` are of further users, as the page has them made of that of `service`.
    """
    text = _FILE.read_text().replace("user default off", "user default on nopass ~* &* +@all")
    path = directory / "users.acl"
    path.write_text(text + "".join(f"{line}\n" for line in lines))
    return path


def line_of_service(group: str, stream: str) -> str:
    """The line of the file for another team's group, made by replacing words, as the page says."""
    (line,) = re.findall(r"^user service .+$", _FILE.read_text(), re.MULTILINE)
    return str(line).replace("service", group).replace("comments", stream)


def url_of(url: str, user: str) -> str:
    """The server's URL for a user of the file, by the password that stands there."""
    return url.replace("redis://", f"redis://{user}:REPLACE-THIS-FAKE-PASSWORD-of-{user}@")


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
