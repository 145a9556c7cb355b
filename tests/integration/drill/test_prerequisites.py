"""A drill does not begin where it would be what fills a disk, or where events go to the spool."""

from pathlib import Path

import pytest

from gateway.drill.prerequisites import assure_room_in_redis, assure_room_on_disk
from gateway.drill.rig import CannotDrill
from gateway.local.redis_server import RedisServer
from gateway.redis_access import connections
from gateway.settings import Settings
from tests.support.small_disk import small_disk


def test_a_disk_without_room_is_named(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", size="3m") as directory,
        pytest.raises(CannotDrill, match=rf"[23] MiB are free on the disk of .*{directory}"),
    ):
        assure_room_on_disk(directory / "spool")


def test_a_disk_with_room_is_none_of_its_business(tmp_path: Path) -> None:
    assure_room_on_disk(tmp_path / "not" / "there" / "yet")


async def test_a_server_that_is_nearly_full_is_not_drilled(own_server: RedisServer) -> None:
    async with connections.control(own_server.url) as redis:
        await assure_room_in_redis(redis, Settings())
        await redis.config_set("maxmemory", "1mb")

        with pytest.raises(CannotDrill, match=r"% of its memory, and events go to the spools"):
            await assure_room_in_redis(redis, Settings())
