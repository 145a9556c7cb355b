"""What a command says when Redis is not there, hangs, or lets nobody in: one line, exit code 2."""

import asyncio
import sys
from pathlib import Path

import pytest

from gateway.cli import cli
from gateway.commandline import run
from gateway.local.redis_server import RedisServer, free_port
from gateway.redis_access import connections
from tests.support.program import surroundings
from tests.support.starting import finished

COMMANDS = [
    ["groups"],
    ["pending", "--group", "index"],
    ["dead", "list"],
    ["dead", "show", "--group", "index", "0/1-0"],
    ["dead", "retry", "--group", "index", "--all"],
    ["dead", "drop", "--group", "index", "--all", "--yes"],
    ["replay", "--group", "index", "--from", "10m", "--dry-run"],
    ["portals", "list"],
    ["portals", "add", "m1", "--domain", "m1.example", "--token", "fake-token"],
    ["portals", "remove", "m1"],
    ["portals", "check"],
    ["portals", "gaps"],
    ["portals", "erased", "m1"],
    ["portals", "quarantine", "list"],
]
WITH_AN_ANSWER_IN_TIME = [
    *COMMANDS,
    ["groups", "pause", "index"],
    ["groups", "resume", "index"],
    ["groups", "strike", "index", "--subject", "comment/7"],
    ["groups", "unstrike", "index", "--all"],
    ["groups", "remove", "index", "--yes"],
    ["balance"],
    ["prove", "--day", "today"],
    ["erase", "--portal", "m1", "--yes"],
    ["tail", "--no-follow"],
    ["tail", "--event", "01a20519-8d87-7177-989d-ac8da4341f00"],
    ["replay", "--group", "index", "--from", "10m"],
]


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def said(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """The line that a command ends with."""
    monkeypatch.setattr(sys, "argv", ["gateway", *arguments])
    with pytest.raises(SystemExit) as ended:
        run(cli, name="gateway")
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_server_that_is_not_there_is_one_line(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    monkeypatch.setenv("GATEWAY_REDIS_URL", f"redis://127.0.0.1:{port}/0")

    line = said(arguments, monkeypatch, capsys)

    address = f"127.0.0.1:{port}"
    why = f"does not answer: Connection refused ({address})"
    assert line == f"gateway: Redis at {address} {why} ([redis] url)"


async def test_a_server_that_hangs_is_known_in_a_second(
    own_server: RedisServer, tmp_path: Path
) -> None:
    own_server.pause()
    ended = await asyncio.gather(
        *(
            finished(
                (sys.executable, "-m", "gateway", *arguments),
                environment=surroundings() | {"GATEWAY_REDIS_URL": own_server.url},
                directory=tmp_path,
            )
            for arguments in WITH_AN_ANSWER_IN_TIME
        )
    )

    said = f"gateway: Redis at 127.0.0.1:{own_server.port} does not answer: no answer within 1 s "
    assert [one for one in ended if one.returncode != 2 or not one.stderr.startswith(said)] == []


@pytest.mark.parametrize(
    ("form", "where"),
    [
        ("redis+sentinel://127.0.0.1:{port}/mine", "Redis 'mine' of the Sentinels at 127.0.0.1"),
        ("redis+cluster://127.0.0.1:{port}", "the Redis Cluster at 127.0.0.1"),
        ("unix:///nowhere/{port}.sock", "Redis at /nowhere/"),
    ],
)
@pytest.mark.parametrize("arguments", [["groups"], ["dead", "list"], ["portals", "list"]])
def test_so_are_sentinels_and_nodes_that_are_not_there(
    form: str,
    where: str,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GATEWAY_REDIS_URL", form.format(port=free_port()))

    line = said(arguments, monkeypatch, capsys)

    assert line.startswith(f"gateway: {where}")
    assert "does not answer: " in line
    assert line.endswith("([redis] url)")


@pytest.mark.parametrize("arguments", [*COMMANDS, ["tail"]], ids=" ".join)
async def test_a_wrong_password_is_one_line(
    arguments: list[str],
    own_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with connections.control(own_server.url) as redis:
        await redis.config_set("requirepass", "fake-of-server")
    monkeypatch.setenv("GATEWAY_REDIS_URL", f"redis://:FAKE@127.0.0.1:{own_server.port}/0")

    line = await asyncio.to_thread(said, arguments, monkeypatch, capsys)

    assert "FAKE" not in line
    assert "invalid username-password pair" in line
