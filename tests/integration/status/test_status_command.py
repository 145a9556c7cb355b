"""`gateway status` with real processes: what it says, its exit code, and that it never hangs."""

import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from gateway.contract import PortalData
from gateway.drill.delivery_load import DeliveryLoad
from gateway.heartbeats.process_report import SILENT_S
from gateway.local.redis_server import RedisServer
from gateway.portal_health.troubled_portals import troubles_of_portals
from gateway.redis_access import connections
from gateway.sandbox.portal import SANDBOX
from tests.integration.runtime.running import comment_event, publish
from tests.support.consumer_process import service
from tests.support.eventually import eventually
from tests.support.portal_trouble import note_trouble
from tests.support.program import Program, surroundings
from tests.support.receiver_process import Receiver, receiving
from tests.support.starting import finished

EVENTS = "b24:events:{0}"


class Installation:
    """What runs, and what `gateway status` says of it."""

    def __init__(self, url: str, directory: Path, receiver: Receiver) -> None:
        self.url, self.directory, self.receiver = url, directory, receiver
        self.environment = {
            "GATEWAY_REDIS_URL": url,
            "GATEWAY_ADMIN_PORT": str(receiver.admin_port),
            "GATEWAY_SPOOL_DIR": str(directory / "spool"),
        }

    async def said(self, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return await finished(
            (sys.executable, "-m", "gateway", "status", *options),
            directory=self.directory,
            environment=surroundings() | self.environment | environ,
        )

    async def seen(self) -> dict[str, Any]:
        """The JSON, whose verdict is the exit code."""
        done = await self.said("--json")
        seen: dict[str, Any] = json.loads(done.stdout)
        assert (done.returncode, done.stderr) == (0 if seen["is_well"] else 1, "")
        return seen

    async def whats(self) -> list[str]:
        return [fault["what"] for fault in (await self.seen())["faults"]]

    async def is_well(self) -> bool:
        return await self.whats() == []


@asynccontextmanager
async def installed(directory: Path, url: str, **settings: str) -> AsyncIterator[Installation]:
    """A receiver and `gateway reconcile`."""
    environ = {"GATEWAY_REDIS_URL": url} | {f"GATEWAY_{key}": it for key, it in settings.items()}
    argv = (sys.executable, "-m", "gateway", "reconcile")
    async with receiving(directory, url, settings) as receiver:
        with Program(argv, log_file=directory / "reconcile.log", environment=environ) as reconcile:
            reconcile.launch()
            yield Installation(url, directory, receiver)
            await reconcile.stop()


async def test_all_is_well_until_a_consumer_is_killed_and_again_once_another_has_come(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with installed(tmp_path, redis_url) as here:
        with service(redis_url, tmp_path) as consumer:
            await publish(redis, EVENTS, [comment_event(1)])
            await eventually(here.is_well)
            shown = await here.said()
            assert shown.returncode == 0
            assert shown.stdout.startswith("all is well")

            consumer.kill()
            await publish(redis, EVENTS, [comment_event(number) for number in (2, 3)])

            async def is_told() -> bool:
                whats = await here.whats()
                return any("said nothing for" in what for what in whats)

            await eventually(is_told, timeout_s=SILENT_S + 30)
            whats = await here.whats()
            assert any(what.startswith("nobody works for group") for what in whats)
            assert any(str(consumer.pid) in what for what in whats)
            with service(redis_url, tmp_path):
                await eventually(here.is_well)


async def test_dead_letters_and_portals_in_trouble_are_told_with_their_commands(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    trouble = PortalData(
        member_id=SANDBOX.member_id,
        domain=SANDBOX.domain,
        trouble="silent",
        since="2026-01-31T12:00:00Z",
    )
    await note_trouble(redis, trouble)
    async with installed(tmp_path, redis_url) as here:
        with service(redis_url, tmp_path):
            await publish(redis, EVENTS, [comment_event(1)])
            group = (await eventually(lambda: redis.xinfo_groups(EVENTS)))[0]["name"].decode()
            await redis.xadd(f"b24:dead:{group}:{{0}}", {"event": b"{}"})
            portals = json.dumps(
                [
                    {
                        "member_id": SANDBOX.member_id,
                        "domain": SANDBOX.domain,
                        "application_tokens": ["fake"],
                    }
                ]
            )

            async def told() -> list[str]:
                done = await here.said("--json", GATEWAY_PORTALS=portals)
                faults = json.loads(done.stdout)["faults"]
                return [one["remedy"] for one in faults] if len(faults) == 2 else []

            assert await eventually(told) == [
                f"gateway dead list --group {group}",
                f"gateway portals check --portal {SANDBOX.member_id}",
            ]


async def test_with_redis_dead_or_hanging_it_says_what_this_machine_knows(
    own_server: RedisServer, tmp_path: Path
) -> None:
    async with installed(tmp_path, own_server.url, PUBLISH_DEADLINE_S="0.5") as here:
        own_server.pause()
        for _ in range(2):  # frozen, then dead
            async with DeliveryLoad([here.receiver.port], rate=20) as load:
                await load.until_answered_from("spool", timeout_s=20)
            seen = await here.seen()
            assert seen["groups"] is None
            assert "does not answer" in seen["faults"][0]["what"]
            assert seen["spools"][0]["state"]["events"] > 0
            (receiver,) = seen["probes"]
            assert (receiver["name"], receiver["answers"]) == ("receiver", True)
            own_server.kill()


async def test_watching_redraws_and_ctrl_c_ends_it_with_0(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with installed(tmp_path, redis_url) as here:
        argv = (sys.executable, "-m", "gateway", "status", "--watch", "--json")
        with Program(
            argv, log_file=tmp_path / "watch.log", environment=here.environment
        ) as watching:
            watching.launch()
            await eventually(lambda: watching.log.count("\n") >= 3)
            watching.send(signal.SIGINT)
            assert await watching.ended() == 0
        lines = watching.log.splitlines()
    assert all(json.loads(line)["processes"] for line in lines)


async def test_a_wrong_password_is_one_fault_and_no_secret(
    own_server: RedisServer, tmp_path: Path
) -> None:
    async with connections.control(own_server.url) as redis:
        await redis.config_set("requirepass", "fake-of-server")
    wrong = f"redis://:FAKE-PASSWORD@127.0.0.1:{own_server.port}/0"
    done = await finished(
        (sys.executable, "-m", "gateway", "status"),
        directory=tmp_path,
        environment=surroundings() | {"GATEWAY_REDIS_URL": wrong},
    )

    assert done.returncode == 1
    assert "denies it: " in done.stdout
    assert "FAKE" not in done.stdout + done.stderr


async def test_an_empty_redis_and_nothing_that_runs_is_told_in_two_lines(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    done = await finished(
        (sys.executable, "-m", "gateway", "status", "--json"),
        directory=tmp_path,
        environment=surroundings() | {"GATEWAY_REDIS_URL": redis_url},
    )

    assert [one["remedy"] for one in json.loads(done.stdout)["faults"]] == [
        "gateway serve",
        "gateway reconcile",
    ]
    assert not (tmp_path / "var").exists()


async def test_the_nodes_of_a_cluster_and_all_partitions_are_looked_at(
    cluster_url: str, tmp_path: Path
) -> None:
    partitions = {"REDIS_PARTITIONS": "4"}
    async with installed(tmp_path, cluster_url, **partitions) as here:
        here.environment["GATEWAY_REDIS_PARTITIONS"] = "4"
        with service(cluster_url, tmp_path, GATEWAY_REDIS_PARTITIONS="4"):
            await eventually(here.is_well)
            seen = await here.seen()

    assert len(seen["servers"]) == 2
    assert [(one["partitions"], one["unowned"]) for one in seen["groups"]] == [(4, [])]
    assert {one["report"]["role"] for one in seen["processes"]} == {
        "receiver",
        "reconcile",
        "consumer",
    }


async def test_ten_thousand_portals_are_asked_about_at_once(redis: Redis) -> None:
    async def commands() -> int:
        return int((await redis.info("stats"))["total_commands_processed"])

    before = await commands()
    found = await troubles_of_portals(
        redis, (f"m{number}" for number in range(10_000)), prefix="b24"
    )

    assert found == []
    assert await commands() - before < 5
