"""`gateway doctor` against real servers, and before there is anything."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.doctor.redis_look import look_at_rights
from gateway.doctor.redis_roles import ROLES
from gateway.local.redis_server import RedisServer, free_port
from gateway.redis_access import connections
from tests.integration.runtime.running import comment_event, publish
from tests.support.redis_users import USER, rights_of, service_rights, without
from tests.support.starting import finished

KEY = "ZmFrZS1rZXktZmFrZS1rZXktZmFrZS1rZXktZmFrZSE="


async def examined(directory: Path, **environment: str) -> tuple[dict[str, list[str]], int]:
    """What is found, as the checks of each severity; and the exit code."""
    spool = {"GATEWAY_SPOOL_DIR": str(directory / "spool"), "GATEWAY_SPOOL_MAX_BYTES": "1000000"}
    settings: Mapping[str, str] = {"GATEWAY_VAULT_KEYS": json.dumps([KEY])} | spool | environment
    done = await finished(
        (sys.executable, "-m", "gateway", "doctor", "--json"), environment=os.environ | settings
    )
    assert done.stderr == ""
    found: dict[str, list[str]] = {}
    for one in map(json.loads, done.stdout.splitlines()):
        found.setdefault(one["severity"], []).append(one["check"])
    assert done.returncode == (1 if "red" in found else 0)
    return found, done.returncode


async def test_a_safe_server_is_well(own_server: RedisServer, tmp_path: Path) -> None:
    async with connections.control(own_server.url) as redis:
        await redis.config_set("maxmemory", "100mb")

    found, code = await examined(tmp_path, GATEWAY_REDIS_URL=own_server.url)

    assert code == 0
    assert found == {
        "warning": ["drill"],
        "note": ["public address", "redis rights", "groups", "portals"],
        "well": ["settings", "redis", "partitions"],
    }


async def test_what_a_server_can_lose_is_red(own_server: RedisServer, tmp_path: Path) -> None:
    async with connections.control(own_server.url) as redis:
        await redis.config_set("maxmemory-policy", "allkeys-lru")
        await redis.config_set("appendonly", "no")
        await redis.xgroup_create("b24:events:{0}", "index", "0", mkstream=True)
        await publish(redis, "b24:events:{0}", [comment_event(1)])

    found, code = await examined(
        tmp_path, GATEWAY_REDIS_URL=own_server.url, GATEWAY_PUBLISH_ACK="replicated:1"
    )

    assert code == 1
    assert sorted(found["red"]) == [
        "groups",
        "redis eviction",
        "redis persistence",
        "redis replication",
    ]


async def test_before_the_first_start_it_says_what_is_missing(tmp_path: Path) -> None:
    found, code = await examined(
        tmp_path, GATEWAY_REDIS_URL=f"redis://127.0.0.1:{free_port()}/0", GATEWAY_VAULT_KEYS="[]"
    )

    assert code == 1
    assert found == {
        "red": ["redis"],
        "warning": ["vault"],
        "note": ["public address", "groups", "portals"],
    }


async def test_settings_that_serve_refuses_are_red(tmp_path: Path) -> None:
    for variable, value in (
        ("GATEWAY_VAULT_KEYS", "no key"),  # refused by the vault
        ("GATEWAY_HTTP_PORT", "many"),  # refused when it is read
    ):
        found, code = await examined(tmp_path, **{variable: value})

        assert (found, code) == ({"red": ["settings"]}, 1)


async def test_config_check_says_what_serve_would(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    answers = []
    for text in (
        'vault.keys = ["no key"]',
        'http.workers = "two"',
        '[[events]]\nname = "onTaskUpdate"\nfetch = "crm.item.get"',
        "http.workers = 2",
    ):
        file.write_text(text)
        done = await finished(
            (sys.executable, "-m", "gateway", "config", "--check", "--config", str(file)),
            environment=os.environ,
        )
        answers.append((done.returncode, done.stdout + done.stderr))

    assert [code for code, _ in answers] == [2, 2, 2, 0]
    assert answers[0][1] == "gateway: [vault] keys, no. 1: not a Fernet key\n"
    assert "[http] workers" in answers[1][1]
    assert answers[2][1] == (
        "gateway: [[events]] name onTaskUpdate: fetch: "
        "crm.item.get needs an entityTypeId, and task has none\n"
    )
    assert answers[3][1] == "these settings work\n"


@pytest.mark.parametrize("role", ROLES)
async def test_rights_that_a_role_lacks_are_named(
    redis: Redis, users: Any, limited_url: str, role: str
) -> None:
    asking = ("+acl|whoami", "+acl|dryrun")
    async with connections.control(limited_url) as limited:
        rights = service_rights(USER, "events") if role == "service" else rights_of(role)
        await users(*rights, *asking)
        (complete,) = await look_at_rights(limited, role, "b24")
        await users(*without(rights, "time", "evalsha"), *asking)
        (lacking,) = await look_at_rights(limited, role, "b24")
        await users(*rights)
        (unknown,) = await look_at_rights(limited, role, "b24")

    assert complete.severity == "well"
    assert lacking.severity == "red"
    assert "EVALSHA" in lacking.what
    assert unknown.severity == "note"


async def test_a_cluster_is_looked_at_node_by_node(cluster_url: str, tmp_path: Path) -> None:
    found, code = await examined(tmp_path, GATEWAY_REDIS_URL=cluster_url)

    # Its nodes have no limit of memory, and the default user, which can be asked for.
    assert code == 0
    assert found["warning"] == ["redis memory"] * 2 + ["drill"]
    assert "redis" not in found.get("red", [])
