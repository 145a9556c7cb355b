"""Measures how one leader of `gateway reconcile` looks after many portals that are slow.

A part of `make bench-growth`. Portals take half a second for each call. Intervals are a tenth of
those of the settings, so that a thousand portals are the load of ten thousand, for a minute; what
takes six is `python -m tests.benchmarks.growth.portals_looked_after 10000 --interval 300`.
"""

import argparse
import asyncio
import math
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.request import urlopen

import msgspec
import psutil
from cryptography.fernet import Fernet
from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from gateway.bitrix24.token_store import TokenStore
from gateway.bitrix24.tokens import Tokens
from gateway.local.redis_server import RedisServer, find_server, free_port
from gateway.portals.application_tokens import digest_of
from gateway.portals.registry import Registry
from gateway.redis_access import connections
from gateway.settings import VaultSettings
from gateway.vault.encryption import Vault
from tests.benchmarks.growth.curve import CONSTANT, LINEAR, Curve
from tests.integration.missed_events.reconciler import Reconciler
from tests.support.program import Program

__all__ = ["curves"]

_SIZES: Final = (100, 300, 1_000)
_HANGING: Final = (1, 10, 100)
_DELAY_S: Final = 0.5
_INTERVAL_S: Final = 30.0
_SILENCE_SHARE: Final = 5  # of the interval of drains, as in the settings: 300 s and 60 s
_AT_ONCE: Final = 100
_BAR_MB: Final = 200.0


class Care(Struct, frozen=True, kw_only=True):
    """How a leader looked after portals for a while; times in seconds."""

    drained_s: float
    """From the start until the last portal that answers was drained; if some were not, so long as
    it would have taken at that rate."""

    drained_count: int

    apart_s: float
    """The longest time between two drains of one portal."""

    late_share: float
    """Of looks for silence, how many began later than a whole interval after they were due."""

    cores: float
    peak_mb: float


async def _register(url: str, vault: Vault, count: int, port: int) -> None:
    async with connections.control(url, timeout_s=30) as client:
        registry = Registry(client, prefix="b24")
        store = TokenStore(client, vault, prefix="b24")
        now = datetime.now(UTC)

        async def one(number: int) -> None:
            member_id = f"m{number}"
            await registry.add(member_id, f"{member_id}.example", digest_of("fake"), now=now)
            await store.install(
                Tokens(
                    member_id=member_id,
                    endpoint=f"http://127.0.0.1:{port}/{member_id}/rest/",
                    user_id=1,
                    access_token="fake",
                    expires_at=int(time.time()) + 86_400,
                    refresh_token="fake",
                    renewed_at=int(time.time()),
                )
            )

        for first in range(0, count, _AT_ONCE):
            some = range(first, min(first + _AT_ONCE, count))
            await asyncio.gather(*(one(number) for number in some))


def care_of(directory: Path, count: int, *, hanging: int, interval_s: float, for_s: float) -> Care:
    """Have so many portals looked after, of which some hang, for so long."""
    silence_s = interval_s / _SILENCE_SHARE
    key = Fernet.generate_key().decode()
    port = free_port()
    with ExitStack() as stack:
        server = RedisServer(find_server(), directory / "redis")
        server.start()
        stack.callback(server.stop)
        vault = Vault.of(VaultSettings(keys=(key,)))
        assert vault is not None
        asyncio.run(_register(server.url, vault, count, port))
        portals = Program(
            (
                *(sys.executable, "-m", "tests.benchmarks.growth.slow_portals"),
                *(str(port), str(_DELAY_S), str(hanging)),
            ),
            log_file=directory / "portals.log",
            directory=Path.cwd(),
            environment={},
            is_executed=True,
        )
        stack.enter_context(portals)
        portals.launch()
        leader = Reconciler(
            directory,
            {
                "REDIS_URL": server.url,
                "VAULT_KEYS": f'["{key}"]',
                "BITRIX24_CLIENT_ID": "app.fake",
                "BITRIX24_CLIENT_SECRET": "fake",
                "RECONCILE_EVERY_S": str(interval_s),
                "RECONCILE_SILENCE_EVERY_S": str(silence_s),
                "RECONCILE_CHECK_EVERY_S": str(12 * interval_s),
                "RECONCILE_SWEEP_EVERY_S": str(6 * interval_s),
            },
        )
        stack.enter_context(leader)
        leader.launch()
        return _watched(leader, port, count - hanging, silence_s, for_s)


def _watched(leader: Reconciler, port: int, count: int, silence_s: float, for_s: float) -> Care:
    began_s = time.monotonic()
    cpu_s, peak_mb = 0.0, 0.0
    while (now := time.monotonic()) < began_s + for_s:
        time.sleep(min(1.0, began_s + for_s - now))
        process = psutil.Process(leader.pid)
        used = process.cpu_times()
        cpu_s = used.user + used.system
        peak_mb = max(peak_mb, process.memory_info().rss / 2**20)
    drained = _drained(port)
    if len(drained) < count:
        drained_s = for_s * count / max(1, len(drained))
    else:
        drained_s = max(times[0] for times in drained.values()) - began_s
    pairs = [later - earlier for times in drained.values() for earlier, later in pairwise(times)]
    return Care(
        drained_s=drained_s,
        drained_count=len(drained),
        apart_s=max(pairs, default=math.inf),
        late_share=_late_share(leader.port, silence_s),
        cores=cpu_s / for_s,
        peak_mb=peak_mb,
    )


def _drained(port: int) -> dict[str, list[float]]:
    with urlopen(f"http://127.0.0.1:{port}/drained") as answer:
        return msgspec.json.decode(answer.read(), type=dict[str, list[float]])


def _late_share(port: int, silence_s: float) -> float:
    """Of looks for silence, how many waited for longer than that, by the leader's own account."""
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    within: dict[float, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if (
                sample.name == "b24gw_duty_wait_seconds_bucket"
                and sample.labels["duty"] == "silence"
            ):
                within[float(sample.labels["le"])] = sample.value
    if not within:
        return 1.0
    least_s = max(bound for bound in within if bound <= silence_s)
    return 1.0 - within[least_s] / within[math.inf]


def curves(directory: Path) -> list[Curve]:
    """Until all are drained, memory and processor; and what hanging portals cost the others."""
    directory.mkdir()
    found: dict[int, Care] = {}
    for size in _SIZES:
        found[size] = _care(directory, size)
    hung = {count: _care(directory, _SIZES[-1], hanging=count) for count in _HANGING}
    of, most = "portals", LINEAR
    return [
        Curve(
            name="reconcile: until all portals are drained, each call 0.5 s",
            of=of,
            unit="s on the clock",
            costs={size: care.drained_s for size, care in found.items()},
            most_exponent=most,
            bar=_INTERVAL_S,
        ),
        Curve(
            name="reconcile: looks for silence that came late",
            of=of,
            unit="share",
            costs={size: care.late_share for size, care in found.items()},
            most_exponent=most,
            bar=0.0,
        ),
        Curve(
            name="reconcile: the leader's processor",
            of=of,
            unit="cores",
            costs={size: care.cores for size, care in found.items()},
            most_exponent=most,
            bar=1.0,
        ),
        Curve(
            name="reconcile: the leader's memory",
            of=of,
            unit="MB",
            costs={size: care.peak_mb for size, care in found.items()},
            most_exponent=CONSTANT,
            bar=_BAR_MB,
        ),
        Curve(
            name="reconcile: until the others are drained, of 1,000 portals of which so many hang",
            of="hanging",
            unit="s on the clock",
            costs={count: care.drained_s for count, care in hung.items()},
            most_exponent=CONSTANT,
            bar=_INTERVAL_S,
        ),
    ]


def _care(directory: Path, size: int, *, hanging: int = 0) -> Care:
    with TemporaryDirectory(dir=directory) as own:
        return care_of(
            Path(own), size, hanging=hanging, interval_s=_INTERVAL_S, for_s=1.2 * _INTERVAL_S
        )


def main() -> None:
    """Look after so many portals for an interval and a fifth, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("portals", type=int)
    parser.add_argument("--interval", type=float, default=_INTERVAL_S, metavar="SECONDS")
    parser.add_argument("--hanging", type=int, default=0)
    parser.add_argument("--for", dest="for_s", type=float, metavar="SECONDS")
    given = parser.parse_args()
    with TemporaryDirectory(dir=Path.cwd(), prefix="bench-growth-") as directory:
        print(
            care_of(
                Path(directory),
                given.portals,
                hanging=given.hanging,
                interval_s=given.interval,
                for_s=given.for_s or 1.2 * given.interval,
            )
        )


if __name__ == "__main__":
    main()
