"""`make load` as a person calls it: its outcome, its report, and what it says when it cannot."""

import json
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from redis.asyncio import Redis

from gateway.local.redis_server import RedisServer, free_port
from gateway.sandbox.portal import SANDBOX
from tests.integration.operating.installation import Installation
from tests.support.program import surroundings
from tests.support.starting import finished

pytestmark = pytest.mark.timeout(300)  # processes that start one after another

SHORT = ("--first", "40", "--most", "40", "--step-s", "1", "--hold-s", "2", "--p99-ms", "20000")


async def load(*arguments: str, directory: Path, **environment: str) -> CompletedProcess[str]:
    return await finished(
        (sys.executable, "-m", "tests.benchmarks.load_test", *arguments),
        directory=directory,
        environment=surroundings() | environment,
        timeout_s=240,
    )


async def test_without_an_address_it_loads_an_installation_of_its_own(tmp_path: Path) -> None:
    done = await load(
        *SHORT, "--backlog-s", "60", "--partitions", "2", "--into", "report", directory=tmp_path
    )

    assert done.returncode == 0, done
    assert "40 events/s held" in done.stdout
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["faults"] == []
    assert report["processes"].keys() >= {"receiver", "audit", "enricher", "warehouse", "notifier"}
    page = (tmp_path / "report" / "report.md").read_text()
    assert "events that were answered 200 are accounted for" in page


async def test_it_loads_a_running_installation_by_a_portal_that_it_takes_away_again(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    installation = Installation(tmp_path, redis_url)
    async with installation.receiving() as receiver:
        done = await load(
            *("--url", f"http://127.0.0.1:{receiver.port}", *SHORT, "--into", "report"),
            directory=tmp_path,
            **installation.environment,
        )

        assert done.returncode == 0, done
        assert "gateway erase --portal 10ad0000000000000000000000000000" in done.stdout
        assert await redis.hlen("b24:{portals}") == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--url", "http://203.0.113.7:8080"), "203.0.113.7 is not this machine"),
        (("--url", "127.0.0.1:8080"), "not a URL"),
        (("--url", "http://127.0.0.1:1"), "nobody answers at http://127.0.0.1:1/bitrix24/events"),
    ],
)
async def test_what_cannot_be_loaded_is_told_in_a_line(
    arguments: tuple[str, ...], said: str, redis_url: str, tmp_path: Path
) -> None:
    done = await load(*arguments, *SHORT, directory=tmp_path, GATEWAY_REDIS_URL=redis_url)

    assert (done.returncode, done.stdout.count("Traceback")) == (2, 0)
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


async def test_a_redis_that_is_not_there_is_told(tmp_path: Path) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"

    done = await load("--url", "http://127.0.0.1:1", directory=tmp_path, GATEWAY_REDIS_URL=url)

    assert done.returncode == 2
    assert f"Redis at {url} does not answer" in done.stderr
    assert done.stderr.count("\n") == 1


async def test_a_token_that_is_refused_is_told(redis_url: str, tmp_path: Path) -> None:
    installation = Installation(tmp_path, redis_url)
    async with installation.receiving() as receiver:
        done = await load(
            *("--url", f"http://127.0.0.1:{receiver.port}", "--token", "env:TOKEN"),
            *("--member-id", SANDBOX.member_id),
            directory=tmp_path,
            TOKEN="fake0wrong0token",
            **installation.environment,
        )

    assert done.returncode == 2
    assert f"answers 403 forbidden: it does not take the token of portal {SANDBOX.member_id}" in (
        done.stderr
    )
    assert "fake0wrong0token" not in done.stdout + done.stderr


async def test_settings_of_another_redis_are_told(
    redis_url: str, own_server: RedisServer, tmp_path: Path
) -> None:
    installation = Installation(tmp_path, redis_url)
    async with installation.receiving() as receiver:
        done = await load(
            *("--url", f"http://127.0.0.1:{receiver.port}", "--token", "env:TOKEN"),
            *("--member-id", SANDBOX.member_id),
            directory=tmp_path,
            TOKEN=SANDBOX.application_token,
            GATEWAY_REDIS_URL=own_server.url,
        )

    assert done.returncode == 2
    assert "does not write to the Redis at" in done.stderr
