"""What an operator calls, on a deployment where all is well."""

import subprocess
import sys
from typing import Final

from msgspec import json

from tests.support.eventually import eventually
from tests.support.program import surroundings
from tests.support.receiver_process import Receiver, variables_of
from tests.support.stage import Stage
from tests.support.starting import finished

__all__ = ["assert_commands_work"]

_NOBODY: Final = "01a20519-8d87-7177-989d-ac8da4341f00"
_LATE: Final = "no answer within"


async def assert_commands_work(
    stage: Stage, receiver: Receiver, setting: str, event_id: str
) -> None:
    """Each says what it should, and ends as it should; `event_id` is of an event that is handled.

    `setting` is how the URL is written.
    """
    environment = surroundings() | variables_of(
        setting, stage.spool_dir, (receiver.port, receiver.admin_port)
    )
    environment["GATEWAY_REDIS_PARTITIONS"] = str(stage.streams.partitions)

    async def said(code: int, *words: str) -> str:
        """What it prints; called again where this machine is too busy for an answer in time."""

        async def in_time() -> subprocess.CompletedProcess[str] | None:
            ended = await finished(
                (sys.executable, "-m", "gateway", *words),
                environment=environment,
                directory=stage.directory,
            )
            is_late = ended.returncode != code and _LATE in ended.stdout + ended.stderr
            return None if is_late else ended

        ended = await eventually(in_time, timeout_s=60)
        assert ended is not None
        assert ended.returncode == code, ended
        return ended.stdout

    status = await said(1, "status", "--json")
    doctor = await said(1, "doctor", "--json")
    groups = await said(0, "groups", "--json")
    tail = await said(0, "tail", "--no-follow", "--since", "10m", "--json")
    explained = await said(0, "explain", event_id)
    dead = await said(0, "dead", "list")
    unknown = await said(1, "explain", _NOBODY)

    # Nothing is wrong with Redis, nor with groups: all that is red is that nobody reconciles.
    faults = json.decode(status)["faults"]
    assert [fault["remedy"] for fault in faults] == ["gateway reconcile"], status
    findings = [json.decode(line) for line in doctor.splitlines()]
    red = [one["check"] for one in findings if one["severity"] == "red"]
    assert red == ["portals"], doctor
    partitions = [json.decode(line)["partition"] for line in groups.splitlines()]
    assert set(partitions) == set(range(stage.streams.partitions)), groups
    assert event_id in tail
    assert "stored        events/" in explained, explained
    assert "stored        comments/" in explained, explained
    assert "no dead letters" in dead, dead
    assert "not here" in unknown, unknown
