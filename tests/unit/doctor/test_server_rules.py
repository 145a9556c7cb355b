"""What an examination makes of what a server says of itself."""

from typing import Any

import pytest

from gateway.doctor.redis_rules import judge_clock, judge_server, name_of
from gateway.publishing.durability import Ack

SAFE: dict[str, Any] = {
    "redis_version": "8.2.3",
    "role": "master",
    "maxmemory": 1000,
    "maxmemory_policy": "noeviction",
    "used_memory": 100,
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "rdb_last_bgsave_status": "ok",
    "connected_slaves": 1,
}


def found(ack: str = "written", **changes: Any) -> list[tuple[str, str]]:
    findings = judge_server(SAFE | changes, ack=Ack.parse(ack), max_memory_share=0.9)
    return [(one.check, one.severity) for one in findings]


def test_nothing_is_found_of_a_server_that_is_safe() -> None:
    assert found() == []
    assert found("replicated:1") == []


@pytest.mark.parametrize(
    ("changes", "check", "severity"),
    [
        ({"maxmemory_policy": "allkeys-lru"}, "redis eviction", "red"),
        ({"evicted_keys": 3}, "redis eviction", "red"),
        ({"maxmemory": 0}, "redis memory", "warning"),
        ({"used_memory": 899}, "redis memory", "warning"),
        ({"used_memory": 900}, "redis memory", "red"),
        ({"aof_enabled": 0}, "redis persistence", "red"),
        ({"aof_last_write_status": "err"}, "redis persistence", "red"),
        ({"rdb_last_bgsave_status": "err"}, "redis persistence", "red"),
        ({"loading": 1}, "redis persistence", "red"),
        ({"role": "slave"}, "redis replication", "red"),
        ({"redis_version": "6.2.14"}, "redis version", "red"),
        ({"redis_version": "7.0.3"}, "redis version", "red"),
        ({"redis_version": "7.0.15"}, "redis version", "note"),
        ({"redis_version": "8.2.2"}, "redis version", "red"),
    ],
)
def test_each_danger_is_found_by_itself(changes: dict[str, Any], check: str, severity: str) -> None:
    assert found(**changes) == [(check, severity)]


def test_valkey_is_not_judged_by_the_version_of_redis_that_it_names() -> None:
    """It says 7.2.4 whatever it is."""
    valkey = {"redis_version": "7.2.4", "valkey_version": "9.1.2"}

    assert found(**valkey) == []
    assert name_of(SAFE | valkey) == "Valkey 9.1.2"


def test_too_few_replicas_are_found_for_what_is_promised() -> None:
    assert found("replicated:2") == [("redis replication", "red")]
    assert found("replicated:1", connected_slaves=0) == [("redis replication", "red")]


@pytest.mark.parametrize(
    ("ahead_s", "severities"),
    [(0.9, []), (-0.9, []), (2.0, ["warning"]), (-2.0, ["warning"]), (61.0, ["red"])],
)
def test_clocks_that_differ_are_found(ahead_s: float, severities: list[str]) -> None:
    assert [one.severity for one in judge_clock(ahead_s)] == severities
