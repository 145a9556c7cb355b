"""Judges what a Redis server says of itself. Pure; the keys are those of `INFO`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.doctor.finding import Finding, note, red, warning
from gateway.publishing.durability import Ack
from gateway.redis_access.entry_count import counts_reads
from gateway.redis_access.server_memory import memory_share
from gateway.retention.precautions import dangers

__all__ = ["judge_clock", "judge_server", "name_of"]

Version = tuple[int, ...]

_LEAST: Final[Version] = (7, 0, 4)
# Before it, reading pending entries could overrun the heap (CVE-2022-31144).
_BROKEN: Final[tuple[tuple[Version, Version, str], ...]] = (
    ((8, 2, 0), (8, 2, 2), "CVE-2025-62507: whoever may acknowledge can run code in it"),
)
_CLOCK_WARNING_S: Final = 1.0
_CLOCK_RED_S: Final = 60.0
# Receivers take a time of more than a day ahead for wrong; leases are reckoned by Redis's clock.
_NEARLY: Final = 0.8
# Of [retention] max_memory_share: from there on what is handled is trimmed before its time.


def name_of(info: Mapping[str, Any]) -> str:
    """Which server it is, as `Valkey 9.1.2`; Valkey names a version of Redis, too."""
    if "valkey_version" in info:
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info.get('redis_version', 'of a version that is not told')}"


def judge_server(
    info: Mapping[str, Any], *, ack: Ack, max_memory_share: float
) -> Iterator[Finding]:
    """What is dangerous about a server, by its `INFO`; `ack` is what publishing promises."""
    yield from _version(info)
    yield from _role(info, ack)
    yield from _persistence(info)
    yield from _memory(info, max_memory_share)


def judge_clock(ahead_s: float) -> Iterator[Finding]:
    """What a difference of the clocks of Redis and of this machine means."""
    if abs(ahead_s) < _CLOCK_WARNING_S:
        return
    which = "ahead of" if ahead_s > 0 else "behind"
    make = red if abs(ahead_s) >= _CLOCK_RED_S else warning
    yield make(
        "clock",
        f"Redis's clock is {abs(ahead_s):.1f} s {which} this machine's: times of events and of "
        "what waits are wrong by so much",
        "let both follow the same time servers (chrony, systemd-timesyncd)",
    )


def _version(info: Mapping[str, Any]) -> Iterator[Finding]:
    is_valkey = "valkey_version" in info
    version = _version_of(str(info.get("valkey_version") or info.get("redis_version") or ""))
    if not version or is_valkey:
        return
    if version < _LEAST:
        yield red("redis version", f"{name_of(info)} is too old", "update it to 7.2 or later")
    elif not counts_reads(info):
        yield note(
            "redis version",
            f"{name_of(info)} forgets at a restart what groups have read; lags are counted then",
            "7.4 and later, and Valkey 8, do not",
        )
    for first, last, why in _BROKEN:
        if first <= version <= last:
            yield red("redis version", f"{name_of(info)} has {why}", "update it")


def _role(info: Mapping[str, Any], ack: Ack) -> Iterator[Finding]:
    if info.get("role") == "slave":
        yield red(
            "redis replication",
            "[redis] url leads to a replica, which takes no events",
            "name the primary, or Sentinels (docs/redis.md)",
        )
    connected = int(info.get("connected_slaves", 0))
    if ack.replicas > connected:
        yield red(
            "redis replication",
            f"[publish] ack wants {ack.replicas} replicas and {connected} are connected: "
            "events wait in the spool",
            "connect as many, or ask for fewer",
        )


def _persistence(info: Mapping[str, Any]) -> Iterator[Finding]:
    for key, what in (
        ("aof_last_write_status", "its last write to the append-only file failed"),
        ("rdb_last_bgsave_status", "its last snapshot failed"),
        ("aof_last_bgrewrite_status", "its last rewrite of the append-only file failed"),
    ):
        if info.get(key, "ok") != "ok":
            yield red(
                "redis persistence",
                f"{what}; Redis may refuse events until one succeeds",
                "see its log, and the space on its disk",
            )
    if info.get("loading"):
        yield red("redis persistence", "it is reading its data, and answers nothing", "wait")


def _memory(info: Mapping[str, Any], max_memory_share: float) -> Iterator[Finding]:
    for danger in dangers(info, info):
        make = warning if danger.kind == "memory" else red
        yield make(f"redis {danger.kind}", danger.what, danger.remedy)
    if evicted := int(info.get("evicted_keys", 0)):
        yield red(
            "redis eviction",
            f"{evicted} keys were evicted since it was started: events may be among them",
            "set maxmemory-policy to noeviction; `gateway groups` shows what there is",
        )
    if not info.get("maxmemory") or "used_memory" not in info:
        return
    share = memory_share(info)
    if share >= max_memory_share:
        yield red(
            "redis memory",
            f"{share:.0%} of maxmemory is used: new events wait in the spool",
            "see in `gateway groups` which group holds the streams, or give it more memory",
        )
    elif share >= _NEARLY * max_memory_share:
        yield warning(
            "redis memory",
            f"{share:.0%} of maxmemory is used; from {max_memory_share:.0%} on events wait in the "
            "spool",
            "see in `gateway groups` which group holds the streams, or give it more memory",
        )


def _version_of(text: str) -> Version:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
