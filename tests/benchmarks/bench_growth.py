"""`make bench-growth`: how the cost of looking for something grows with what there is.

Each look is a command of an operator, in a process of its own, at three sizes: what it takes of the
processor, its own time and Redis's, with the start of the interpreter. So is the time that a long
backlog of one portal costs others. The law is the exponent that fits the first and the last size:
0 is constant, 1 linear. Exit code 1 if one grows faster than it should.
`GROWTH_SIZES=100000,1000000,3000000` and `GROWTH_BACKLOGS` are other sizes.
"""

import asyncio
import logging
import math
import os
import resource
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import redis
import structlog
from msgspec import Struct

from consumers.audit import signing
from consumers.audit.chain import Chain
from consumers.audit.chain_options import ChainOptions
from consumers.audit.signing import SigningKey
from gateway.local.redis_server import RedisServer, find_server
from tests.benchmarks.portal_backlog import waits_s
from tests.support.audit_log import Clock, Given, entry, event_id

SIZES: Final = [
    int(size) for size in os.environ.get("GROWTH_SIZES", "100000,300000,1000000").split(",")
]
START: Final = datetime(2026, 11, 20, tzinfo=UTC)
BACKLOGS: Final = [
    int(size) for size in os.environ.get("GROWTH_BACKLOGS", "10000,30000,100000").split(",")
]
WAIT_BAR_S: Final = 5.0
STREAM: Final = "b24:events:{0}"
FILL: Final = (Path(__file__).parent / "growth_streams.lua").read_text()
CONSTANT: Final = 0.3
LINEAR: Final = 1.2


class Look(Struct, frozen=True):
    """A command, the exponent that it may have, and its costs by size."""

    name: str
    most: float
    costs: dict[int, float] = {}

    @property
    def law(self) -> float:
        """The exponent."""
        first, *_, last = sorted(self.costs)
        return math.log(self.costs[last] / self.costs[first]) / math.log(last / first)


def id_at(moment: datetime, number: int) -> str:
    """A UUIDv7 of that moment."""
    return str(UUID(int=int(moment.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | number))


def cost_s(*command: str, url: str = "", server_pid: int = 0) -> float:
    """The seconds of CPU that a command takes, and the server for it; the best of three."""
    environment = os.environ | {"GATEWAY_REDIS_URL": url or "redis://127.0.0.1:1"}
    taken = []
    for _ in range(3):
        before_s = _children_s() + _process_s(server_pid)
        done = subprocess.run(
            [sys.executable, "-m", *command], env=environment, stdout=subprocess.PIPE, check=True
        )
        if not done.stdout:
            raise SystemExit(f"{' '.join(command)} has found nothing")
        taken.append(_children_s() + _process_s(server_pid) - before_s)
    return min(taken)


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _process_s(pid: int) -> float:
    if not pid:
        return 0.0
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def streams(directory: Path) -> list[Look]:
    """Looks at a stream: for one event, and for a group in the middle."""
    tail = Look("tail --since --event: one event in the middle of a stream", CONSTANT)
    groups = Look("groups: a group in the middle of a stream", LINEAR)
    server = RedisServer(find_server(), directory)
    server.start()
    start_ms = int(START.timestamp() * 1000)
    try:
        client: Any = redis.Redis.from_url(server.url)
        there = 0
        for size in SIZES:
            for first in range(there, size, 1000):
                client.eval(FILL, 1, STREAM, first, 1000, start_ms)
            there = size
            middle = size // 2
            moment = START + timedelta(milliseconds=10 * middle)
            wanted = f"{str(id_at(moment, 0))[:18]}-8000-{middle:012x}"
            tail.costs[size] = cost_s(
                *("gateway", "tail", "--since", START.isoformat(), "--event", wanted),
                *("--count", "1"),
                url=server.url,
                server_pid=server.pid,
            )
            client.xgroup_create(STREAM, "middle", f"{start_ms + middle * 10}-0")
            groups.costs[size] = cost_s("gateway", "groups", url=server.url, server_pid=server.pid)
            client.xgroup_destroy(STREAM, "middle")
    finally:
        server.stop()
    return [tail, groups]


def audit(directory: Path) -> list[Look]:
    """Looks for one event of the newest file of a log."""
    show = Look("audit show --event: one event in the middle of a log", CONSTANT)
    prove = Look("audit prove: the same", CONSTANT)
    signing.generate(directory / "audit.key")
    clock = Clock(START)
    options = ChainOptions(
        signer=SigningKey.of_setting(f"file:{directory / 'audit.key'}"), clock=clock
    )
    chain = Chain.open(directory / "log", "events", 0, options)
    # A day's file: the events come within its twenty-four hours, however many they are.
    step_s = 80_000 / max(SIZES)
    there = 0
    for size in SIZES:
        for first in range(there, size, 1000):
            clock.now = START + timedelta(seconds=first * step_s)
            chain.append([_given(number, clock.now) for number in range(first, first + 1000)])
        there = size
        middle = size // 2
        wanted = id_at(START + timedelta(seconds=middle // 1000 * 1000 * step_s), middle)
        at = ("--dir", str(directory / "log"))
        show.costs[size] = cost_s("consumers", "audit", "show", "--event", wanted, *at)
        prove.costs[size] = cost_s("consumers", "audit", "prove", wanted, *at)
    chain.close()
    return [show, prove]


def _given(number: int, moment: datetime) -> Given:
    it = entry(number)
    own = id_at(moment, number).encode()
    return Given(it.id, it.raw.replace(event_id(number).encode(), own))


def waits(directory: Path) -> list[Look]:
    """Waits of 500 portals behind the backlog of one."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    server = RedisServer(find_server(), directory)
    server.start()
    try:
        return [
            Look(
                f"500 portals' wait behind the events of one that {word}",
                LINEAR,
                asyncio.run(waits_s(server, BACKLOGS, hangs=hangs)),
            )
            for word, hangs in (("works", False), ("hangs", True))
        ]
    finally:
        server.stop()


def show(heading: str, looks: list[Look]) -> bool:
    """Print costs and laws; whether none grows faster than it should."""
    sizes = sorted(looks[0].costs)
    print(f"{heading:60}{''.join(f'{size:>12,}' for size in sizes)}  grows as")
    for look in looks:
        costs = "".join(f"{look.costs[size]:12.2f}" for size in sizes)
        verdict = "ok" if look.law <= look.most else "MISSED"
        print(f"{look.name:60}{costs}  n^{look.law:.2f} (at most {look.most}) {verdict}")
    return all(look.law <= look.most for look in looks)


def main() -> None:
    """Measure, print, judge."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:
        root = Path(directory)
        is_good = show("seconds of CPU at", [*streams(root / "redis"), *audit(root)])
        waiting = waits(root / "backlog")
    is_good &= show("seconds on the clock behind", waiting)
    longest_s = max(look.costs[max(BACKLOGS)] for look in waiting)
    is_soon = longest_s <= WAIT_BAR_S
    print(f"the longest {longest_s:.1f} s (bar {WAIT_BAR_S:.0f}) {'ok' if is_soon else 'MISSED'}")
    sys.exit(0 if is_good and is_soon else 1)


if __name__ == "__main__":
    main()
