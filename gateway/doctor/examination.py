"""Runs all checks of an installation, each with a time of its own, and gathers what they find."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from redis.asyncio import Redis

import gateway
from gateway.doctor.drill_rules import judge_drill
from gateway.doctor.files import look_at_files
from gateway.doctor.finding import Finding, note, red, well
from gateway.doctor.group_rules import judge_groups
from gateway.doctor.partition_look import look_at_partitions
from gateway.doctor.portal_look import portal_findings
from gateway.doctor.public_address import look_at_public_address
from gateway.doctor.redis_look import look_at_redis, look_at_rights
from gateway.doctor.settings_refusals import refusals
from gateway.doctor.settings_rules import judge_redis_address, judge_settings
from gateway.drill_record import last_drill
from gateway.ops.answer_times import reached
from gateway.ops.group_standings import standings
from gateway.partitioning.partition_record import adopt_record
from gateway.redis_access import connections
from gateway.redis_access.connections import FAILURES
from gateway.redis_access.redis_faults import predicate
from gateway.redis_access.redis_url import RedisAddress
from gateway.settings import Settings

__all__ = ["examine"]

_CHECK_S: Final = 20.0
# Longer than the answer of a portal is waited for (gateway.portal_health.portal_query): one that
# hangs must not hide what is known of the others.
_REDIS_S: Final = 1.0

Look = Callable[[], Awaitable[list[Finding]]]


async def examine(settings: Settings, file: Path | None, *, role: str) -> list[Finding]:
    """All that the checks find, those that are red first; `file` is where the settings stand.

    Works before anything was started: what is not there yet is a finding, or made by whoever needs
    it. With settings that `gateway serve` would refuse, only these are told, since nothing else
    could be believed.
    """
    if refused := await refusals(settings):
        return [refused_setting(line) for line in refused]
    found = [*judge_settings(settings), *look_at_files(settings, file, now=time.time())]
    found += judge_redis_address(RedisAddress.of(settings.redis.url))
    if not found:
        found.append(well("settings", "they work, and files and directories are private"))
    for findings in await asyncio.gather(
        _within_time("public address", lambda: look_at_public_address(settings)),
        _of_redis(settings, role),
    ):
        found += findings
    order = ("red", "warning", "note", "well")
    return sorted(found, key=lambda one: order.index(one.severity))


def refused_setting(line: str) -> Finding:
    """A fault of the settings, with which no process starts."""
    return red("settings", line, "mend it: no process starts like this")


async def _of_redis(settings: Settings, role: str) -> list[Finding]:
    async with connections.control(settings.redis.url, timeout_s=_REDIS_S) as client:
        try:
            await reached(client)
        except FAILURES as error:
            where = RedisAddress.of(settings.redis.url)
            return [
                red(
                    "redis",
                    f"{where} {' '.join(predicate(error).split())}",
                    "start it, or set [redis] url; `gateway up` brings one of its own",
                ),
                note("groups", "not looked at, since Redis is away"),
                note("portals", "not looked at, since Redis is away"),
            ]
        with suppress(*FAILURES):  # what is not answered is found by those who look
            await adopt_record(client, settings.redis.streams)
        looks: dict[str, Look] = {
            "redis": lambda: look_at_redis(client, settings),
            "redis rights": lambda: look_at_rights(client, role, settings.redis.prefix),
            "partitions": lambda: look_at_partitions(client, settings),
            "groups": lambda: _groups(client, settings),
            "portals": lambda: portal_findings(client, settings),
            "drill": lambda: _drill(client, settings),
        }
        several = await asyncio.gather(*(_within_time(name, look) for name, look in looks.items()))
        return [one for findings in several for one in findings]


async def _groups(client: Redis, settings: Settings) -> list[Finding]:
    found = await standings(client, settings.redis.streams)
    return list(judge_groups(found, warn_held_days=settings.retention.warn_held_days))


async def _drill(client: Redis, settings: Settings) -> list[Finding]:
    record = await last_drill(client, settings.redis.prefix)
    return [judge_drill(record, version=gateway.__version__)]


async def _within_time(check: str, look: Look) -> list[Finding]:
    """What a check finds; that it failed, or took too long, is a finding too."""
    try:
        async with asyncio.timeout(_CHECK_S):
            return await look()
    except TimeoutError:
        return [note(check, f"not looked at: no answer within {_CHECK_S:.0f} s")]
    except FAILURES as error:
        return [note(check, f"not looked at: Redis {' '.join(predicate(error).split())}")]
