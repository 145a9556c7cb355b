"""The receiver dies at any point, alone or beside another one, and its disk fills up."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.small_disk import fill, small_disk
from tests.support.stage import Stage


@pytest.mark.short
async def test_the_receiver_is_killed_while_it_spools_and_while_it_drains(stage: Stage) -> None:
    server = stage.server()
    receiver = await stage.receiver(server.url)
    turns = round(stage.span(short=1, full=4))
    drains_cut = 0
    async with stage.load(receiver) as load:
        await load.until_answered_from("stream", timeout_s=10)
        for _ in range(turns):
            server.kill()
            for _ in range(2):
                await load.until_answered_from("spool", timeout_s=20)
                await asyncio.sleep(0.7)
                receiver.kill()
                await receiver.start()
            # A turn of the drainer takes 256 events of each of the two partitions.
            await stage.until_spooled(round(stage.span(short=600, full=1200)))
            server.start()
            for _ in range(2):
                drains_cut += await stage.until_draining()
                receiver.kill()
                await receiver.start()
            await load.until_answered_from("stream", timeout_s=30)

    account = await stage.settle(load.deliveries, server)

    assert account.spooled > 0
    assert account.refused == 0
    assert drains_cut or turns == 1  # a single turn may have been too quick for us


async def test_two_receivers_share_a_spool_and_die_in_turn(stage: Stage) -> None:
    server = stage.server()
    receivers = [await stage.receiver(server.url) for _ in range(2)]
    async with stage.load(*receivers) as load:
        for turn in range(round(stage.span(short=2, full=6))):
            await load.until_answered_from("stream", timeout_s=30)
            server.kill()
            await load.until_answered_from("spool", timeout_s=20)
            await asyncio.sleep(1)
            receivers[turn % 2].kill()
            await receivers[turn % 2].start()
            server.start()
            await stage.until_draining()
            receivers[(turn + 1) % 2].kill()  # which may be the one that drains
            await receivers[(turn + 1) % 2].start()
        await load.until_answered_from("stream", timeout_s=30)

    account = await stage.settle(load.deliveries, server)

    assert account.spooled > 0


async def test_the_spool_reaches_its_limit(stage: Stage) -> None:
    server = stage.server()
    receiver = await stage.receiver(server.url, {"SPOOL_MAX_BYTES": "300000"})
    async with stage.load(receiver) as load:
        await load.until_answered_from("stream", timeout_s=10)
        server.kill()
        await load.until_refused(timeout_s=30)
        await asyncio.sleep(stage.span(short=1, full=5))
        server.start()
        await load.until_answered_from("stream", timeout_s=60)

    account = await stage.settle(load.deliveries, server, is_ordered=False)

    assert account.spooled > 100
    assert account.refused > 100


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", size="3m") as directory:
        yield directory


@pytest.mark.parametrize("who_fills_it", ["the spool", "somebody else"])
async def test_the_disk_of_the_spool_is_full(stage: Stage, disk: Path, who_fills_it: str) -> None:
    server = stage.server()
    stage.spool_dir = disk / "spool"
    receiver = await stage.receiver(server.url)
    async with stage.load(receiver) as load:
        await load.until_answered_from("stream", timeout_s=10)
        server.kill()
        if who_fills_it == "somebody else":
            await load.until_answered_from("spool", timeout_s=20)
            await asyncio.sleep(1)
            fill(disk / "filler")
        await load.until_refused(timeout_s=30)
        await asyncio.sleep(stage.span(short=1, full=5))
        server.start()
        # The disk stays full: what is in the spool has to find its way out of it all the same.
        await load.until_answered_from("stream", timeout_s=60)

    account = await stage.settle(load.deliveries, server, is_ordered=False)

    assert account.spooled > 0
    assert account.refused > 100
