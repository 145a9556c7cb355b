"""`make bench-audit`: how fast the audit log is written and verified, and in how much memory.

Appending is measured twice: the log by itself, and the consumer process reading real Redis. Each
batch is fsynced. The bars are those of docs/audit.md; the exit code is 1 if one is missed.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from consumers.audit import signing
from consumers.audit.chain import Chain
from consumers.audit.chain_head import read_head
from consumers.audit.chain_options import ChainOptions
from consumers.audit.signing import SigningKey
from gateway.contract import CommentEvent
from gateway.local.redis_server import RedisServer, find_server
from gateway.redis_access import connections
from tests.benchmarks.figure import Figure, at_least, at_most
from tests.benchmarks.load import cpu_seconds
from tests.benchmarks.recorded_run import Recorder, arguments
from tests.integration.runtime.running import comment_event, publish
from tests.support.audit_log import entries

BATCH = 1000
EVENTS = 300_000
STREAMED = 100_000
APPEND_BAR = 20_000
CPU_BAR_US = 20
VERIFY_BAR = 100_000
MEMORY_BAR_MB = 300
GROWTH_BAR_MB = 10


def main() -> int:
    recorder = Recorder("audit", arguments(__doc__).parse_args().json)
    with TemporaryDirectory(prefix="bench-audit-", dir=Path.cwd()) as name:
        root = Path(name)
        public = signing.generate(root / "audit.key")
        figures = [
            *measure_append(root / "library", root / "audit.key"),
            *asyncio.run(measure_consumer(root, root / "audit.key")),
            *measure_verify(root / "library", public),
        ]
    return recorder.concluded(figures)


def measure_append(directory: Path, key: Path) -> list[Figure]:
    options = ChainOptions(signer=SigningKey.of_setting(f"file:{key}"))
    chain = Chain.open(directory, "events", 0, options)
    spent = 0.0
    for first in range(1, EVENTS + 1, BATCH):
        batch = entries(first, first + BATCH - 1)
        started = time.perf_counter()
        chain.append(batch)
        spent += time.perf_counter() - started
    chain.close()
    size = sum(path.stat().st_size for path in chain.directory.glob("*.jsonl"))
    print(f"{EVENTS:,} events, {size / EVENTS:.0f} bytes each, batches of {BATCH}, each fsynced")
    return [at_least("append, the log by itself", EVENTS / spent, APPEND_BAR, "events/s")]


async def measure_consumer(root: Path, key: Path) -> list[Figure]:
    server = RedisServer(find_server(), root / "redis")
    server.start()
    try:
        redis = connections.control(server.url)
        await publish_many(redis, [comment_event(number + 1) for number in range(STREAMED)])
        await redis.aclose()
        return consume(server.url, root / "consumer", key)
    finally:
        server.stop()


async def publish_many(redis: object, events: list[CommentEvent]) -> None:
    for first in range(0, len(events), BATCH):
        await publish(redis, "b24:events:{0}", events[first : first + BATCH])  # type: ignore[arg-type]


def consume(url: str, directory: Path, key: Path) -> list[Figure]:
    """From the first record to the last; the start of the interpreter does not count."""
    environment = {
        **os.environ,
        "GATEWAY_REDIS_URL": url,
        "GATEWAY_AUDIT_DIR": str(directory),
        "GATEWAY_AUDIT_SIGNING_KEY": f"file:{key}",
        "GATEWAY_LOG_LEVEL": "warning",
    }
    chain = directory / "events-0"
    with subprocess.Popen(
        [sys.executable, "-m", "consumers", "run", "audit"], env=environment
    ) as it:
        poll(lambda: logged(chain) > BATCH)
        started, cpu_before_s = time.perf_counter(), cpu_seconds(it.pid)
        before = logged(chain)
        poll(lambda: logged(chain) >= STREAMED / 4)
        early = memory_mb(it.pid)
        poll(lambda: logged(chain) >= STREAMED)
        spent, cpu_s = time.perf_counter() - started, cpu_seconds(it.pid) - cpu_before_s
        end = memory_mb(it.pid)
        it.terminate()
    count = STREAMED - before
    return [
        at_least("append, stream to log", count / spent, APPEND_BAR, "events/s"),
        at_most("CPU time of an event, stream to log", cpu_s * 1e6 / count, CPU_BAR_US, "µs"),
        at_most("memory of the consumer", end, MEMORY_BAR_MB, "MB"),
        at_most("its growth, 25,000 to 100,000 events", end - early, GROWTH_BAR_MB, "MB"),
    ]


def logged(chain: Path) -> int:
    """About how many events are in a chain: its last record, less one checkpoint in a thousand."""
    signed = read_head(chain) if chain.is_dir() else None
    return signed.head.seq * 1000 // 1001 if signed else 0


def measure_verify(directory: Path, public: str) -> list[Figure]:
    """As the command does it, in a process of its own; the start of the interpreter counts."""
    command = [sys.executable, "-m", "consumers", "audit", "verify", str(directory)]
    peak = 0.0
    started = time.perf_counter()
    with subprocess.Popen([*command, "--key", public], stdout=subprocess.DEVNULL) as it:
        while it.poll() is None:
            peak = max(peak, memory_mb(it.pid))
            time.sleep(0.005)
        spent = time.perf_counter() - started
    if it.returncode:
        raise SystemExit("the log that was just written is not whole")
    return [
        at_least("verify", EVENTS / spent, VERIFY_BAR, "records/s"),
        at_most("memory of verify", peak, MEMORY_BAR_MB, "MB"),
    ]


def memory_mb(pid: int) -> float:
    """The most memory that a process has had so far; 0 if it is no more. From /proc."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    peaks = [float(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return peaks[0] / 1024 if peaks else 0.0


def poll(condition: Callable[[], bool], *, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {timeout_s} s")
        time.sleep(0.005)


if __name__ == "__main__":
    sys.exit(main())
