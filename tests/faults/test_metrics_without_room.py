"""The disk on which workers keep their metrics fills up: that costs metrics, and no delivery."""

from collections.abc import Iterator
from pathlib import Path

import aiohttp
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.drill.delivery_load import DeliveryLoad
from gateway.local.redis_server import RedisServer
from gateway.web.metric_files import KINDS
from tests.support.eventually import eventually
from tests.support.receiver_process import Receiver, receiving
from tests.support.small_disk import small_disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own for temporary files; skips the test where none can be had."""
    with small_disk(tmp_path / "tmp", size="32m") as directory:
        yield directory


def fill(directory: Path) -> None:
    with (directory / "filler").open("ab", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * (1 << 16))
        except OSError:
            return


def kinds_in_full(directory: Path) -> set[str]:
    """The kinds of metrics that have a file, each with all of its blocks."""
    files = list(directory.glob("gateway-*/metrics/*.db"))
    assert all(path.stat().st_blocks * 512 >= path.stat().st_size for path in files)
    return {path.name.rpartition("_")[0] for path in files}


@pytest.mark.timeout(300)
async def test_a_full_disk_costs_the_metrics_of_new_workers_and_no_delivery(
    disk: Path, tmp_path: Path, own_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(disk))
    async with receiving(tmp_path, own_server.url, {"HTTP_WORKERS": "2"}) as receiver:
        async with DeliveryLoad([receiver.port], rate=50) as load:
            await load.until_answered_from("stream", timeout_s=20)
            await eventually(lambda: kinds_in_full(disk) == set(KINDS))
            for worker in psutil.Process(receiver.pid).children():
                worker.kill()

            def are_without() -> bool:
                fill(disk)  # with what the dead did not need, too
                return receiver.log.count("this worker is without metrics") == 2

            async def is_ready() -> bool:
                return await probe(receiver) == 200

            await eventually(are_without, timeout_s=60)
            await eventually(is_ready, timeout_s=100)
            await load.until_answered_from("stream", timeout_s=20)
        assert "SIGBUS" not in receiver.log

        families = list(text_string_to_metric_families("\n".join(await receiver.metrics())))
        (memory,) = [one for one in families if one.name == "process_resident_memory_bytes"]
        named = {sample.labels["process"] for sample in memory.samples}
        assert named == {"supervisor", "worker-1", "worker-2"}
        # Those that died are counted all the same.
        (stored,) = [one for one in families if one.name == "b24gw_stored_events"]
        assert sum(sample.value for sample in stored.samples) > 0


async def probe(receiver: Receiver) -> int:
    url = f"http://127.0.0.1:{receiver.admin_port}/readyz"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status
