"""What is no whole backup, or would be in somebody's way, is refused before anything is changed."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from msgspec import json as msgspec_json
from redis.asyncio import Redis

from gateway.heartbeats.process_report import ProcessReport
from gateway.local.redis_server import RedisServer
from tests.integration.backup.conftest import Call
from tests.integration.backup.keys import SETTINGS, contents, fill, without_gone
from tests.support.eventually import eventually
from tests.support.program import Program


@pytest.fixture
async def kept(redis: Redis, redis_url: str, call: Call, tmp_path: Path) -> Path:
    """A backup; of Redis and of a spool with a file."""
    await fill(redis, entries=20)
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "portals.json").write_text("{}")
    done = await call(redis_url, "backup", "kept", SPOOL_DIR="spool", **SETTINGS)
    assert done.returncode == 0, done.stderr
    return tmp_path / "kept"


def files_in(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def modes_in(directory: Path) -> tuple[set[int], set[int]]:
    """Those of directories, and of files."""
    paths = [directory, *directory.rglob("*")]
    modes = [(path.is_dir(), path.stat().st_mode & 0o777) for path in paths]
    return {mode for is_dir, mode in modes if is_dir}, {
        mode for is_dir, mode in modes if not is_dir
    }


def cut(backup: Path) -> None:
    path = backup / "redis.keys.gz"
    path.write_bytes(path.read_bytes()[:-1])


def change(backup: Path) -> None:
    path = backup / "redis.keys.gz"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def take_away(backup: Path) -> None:
    (backup / "spool" / "portals.json").unlink()


def add(backup: Path) -> None:
    (backup / "spool" / "of-another-backup").touch()


def leave_unfinished(backup: Path) -> None:
    (backup / "manifest.json").unlink()


def rewrite(**changes: Any) -> Callable[[Path], None]:
    def change_manifest(backup: Path) -> None:
        path = backup / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change_manifest


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (cut, "redis.keys.gz: changed or cut off since it was written"),
        (change, "redis.keys.gz: changed or cut off since it was written"),
        (take_away, "spool/portals.json: No such file or directory"),
        (add, "spool/of-another-backup: is not of this backup"),
        (leave_unfinished, "no backup, or one that was not finished"),
        (rewrite(format=2), "the format of this backup is 2, and this program knows 1"),
        (rewrite(files="none"), "manifest.json: Expected `array`"),
        (rewrite(partitions=3), "[redis] partitions is 2, and in the backup 3"),
        (rewrite(parts=["redis"]), "has no part spool"),
    ],
)
async def test_what_is_not_whole_or_does_not_fit_is_not_put_back(
    kept: Path,
    harm: Callable[[Path], None],
    said: str,
    other: Redis,
    other_server: RedisServer,
    call: Call,
) -> None:
    harm(kept)

    words = ("restore", "kept", "--part", "redis", "--part", "spool")
    done = await call(other_server.url, *words, SPOOL_DIR="new-spool", **SETTINGS)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert await other.dbsize() == 0
    assert not (kept.parent / "new-spool").exists()


async def test_a_key_that_opens_nothing_is_told_of_before_anything_is_changed(
    kept: Path, other: Redis, other_server: RedisServer, call: Call
) -> None:
    wrong = SETTINGS | {"VAULT_KEYS": json.dumps([Fernet.generate_key().decode()])}

    refused = await call(other_server.url, "restore", "kept", "--part", "redis", **wrong)
    assert (refused.returncode, await other.dbsize()) == (2, 0)
    assert "[vault] keys do not open what is sealed: 2 snapshots" in refused.stderr
    words = ("restore", "kept", "--part", "redis", "--without-vault-key")
    done = await call(other_server.url, *words, **wrong)

    assert done.returncode == 0, done.stderr
    assert await other.dbsize() > 0


async def test_a_redis_with_something_in_it_is_replaced_if_that_is_said(
    kept: Path, redis: Redis, redis_url: str, call: Call
) -> None:
    before = await contents(redis)
    await redis.set("b24:since-then", "x")

    refused = await call(redis_url, "restore", "kept", "--part", "redis", **SETTINGS)
    assert refused.returncode == 2
    assert "Redis is not empty: " in refused.stderr
    assert await redis.get("b24:since-then") == b"x"
    words = ("restore", "kept", "--part", "redis", "--replace")
    looked = await call(redis_url, *words, "--dry-run", **SETTINGS)
    assert looked.returncode == 0
    assert await redis.get("b24:since-then") == b"x"
    done = await call(redis_url, *words, **SETTINGS)

    assert done.returncode == 0, done.stderr
    assert (await contents(redis)).keys() == before.keys()
    assert await redis.get("other:key") == b"of somebody else"


async def test_nothing_is_put_back_under_a_process_at_work(
    kept: Path, other: Redis, other_server: RedisServer, call: Call
) -> None:
    seconds, _ = await other.time()
    report = ProcessReport(
        role="consumer",
        host="a-host",
        pid=1,
        version="0",
        at=seconds * 1000,
        started_at=0,
        is_ready=True,
    )
    await other.hset("b24:processes", "a-host:1:abc", msgspec_json.encode(report))

    words = ("restore", "kept", "--part", "redis", "--replace")
    done = await call(other_server.url, *words, **SETTINGS)

    assert done.returncode == 2
    assert "processes are at work: a-host:1:abc; stop all of them first" in done.stderr
    assert await other.dbsize() == 1


async def test_a_directory_with_something_in_it_is_left_as_it_is(
    kept: Path, other: Redis, other_server: RedisServer, call: Call
) -> None:
    done = await call(other_server.url, "restore", "kept", SPOOL_DIR="spool", **SETTINGS)

    assert done.returncode == 2
    assert "[spool] dir spool: not empty; move away what is there" in done.stderr
    assert await other.dbsize() == 0


async def test_no_backup_is_taken_into_what_is_not_empty_or_of_what_is_not_there(
    kept: Path, redis_url: str, call: Call
) -> None:
    before = files_in(kept)

    into = await call(redis_url, "backup", "kept", **SETTINGS)
    of_none = await call(redis_url, "backup", "new", "--part", "audit", **SETTINGS)

    assert (into.returncode, of_none.returncode) == (2, 2)
    assert "kept: not empty; each backup has a directory of its own" in into.stderr
    assert "[audit] dir: there is no such directory" in of_none.stderr
    assert files_in(kept) == before


async def test_a_backup_is_for_its_owner_alone(kept: Path) -> None:
    assert modes_in(kept) == ({0o700}, {0o600})


async def test_a_redis_that_is_away_leaves_no_backup(call: Call, tmp_path: Path) -> None:
    done = await call("redis://127.0.0.1:1", "backup", "new", **SETTINGS)

    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "new").exists()


async def test_a_restore_that_was_killed_is_refused_until_it_is_begun_anew(
    redis: Redis,
    redis_url: str,
    other: Redis,
    other_server: RedisServer,
    call: Call,
    tmp_path: Path,
) -> None:
    await fill(redis, entries=10_000)
    await call(redis_url, "backup", "kept", **SETTINGS)
    before = without_gone(await contents(redis))
    own = {"REDIS_URL": other_server.url, "SPOOL_DIR": "no-spool"} | SETTINGS
    with Program(
        (sys.executable, "-m", "gateway", "restore", "kept"),
        log_file=tmp_path / "restore.log",
        directory=tmp_path,
        environment={f"GATEWAY_{name}": text for name, text in own.items()},
    ) as restoring:
        restoring.launch()
        await eventually(other.dbsize)
        restoring.kill()
    assert without_gone(await contents(other)) != before

    again = await call(other_server.url, "restore", "kept", **SETTINGS)
    anew = await call(other_server.url, "restore", "kept", "--replace", **SETTINGS)

    assert (again.returncode, anew.returncode) == (2, 0), anew.stderr
    assert without_gone(await contents(other)) == before
