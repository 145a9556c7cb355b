"""Measures looks for one event of the audit log, by its length: a part of `make bench-growth`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from consumers.audit import signing
from consumers.audit.chain import Chain
from consumers.audit.chain_options import ChainOptions
from consumers.audit.signing import SigningKey
from tests.benchmarks.growth.command_costs import cost_of
from tests.benchmarks.growth.curve import CONSTANT, Curve
from tests.benchmarks.growth.event_ids import id_at
from tests.support.audit_log import Clock, Given, entry, event_id

__all__ = ["curves"]

_SIZES: Final = (100_000, 300_000, 1_000_000)
_START: Final = datetime(2026, 11, 20, tzinfo=UTC)
# A day's file: the events come within its twenty-four hours, however many they are.
_STEP_S: Final = 80_000 / max(_SIZES)


def curves(directory: Path) -> list[Curve]:
    """Looks for one event of the newest file of a log."""
    directory.mkdir()
    shown: dict[int, float] = {}
    proved: dict[int, float] = {}
    signing.generate(directory / "audit.key")
    clock = Clock(_START)
    options = ChainOptions(
        signer=SigningKey.of_setting(f"file:{directory / 'audit.key'}"), clock=clock
    )
    chain = Chain.open(directory / "log", "events", 0, options)
    there = 0
    for size in _SIZES:
        for first in range(there, size, 1000):
            clock.now = _START + timedelta(seconds=first * _STEP_S)
            chain.append([_given(number, clock.now) for number in range(first, first + 1000)])
        there = size
        middle = size // 2
        wanted = id_at(_START + timedelta(seconds=middle // 1000 * 1000 * _STEP_S), middle)
        at = ("--dir", str(directory / "log"))
        shown[size] = cost_of("consumers", "audit", "show", "--event", wanted, *at).cpu_s
        proved[size] = cost_of("consumers", "audit", "prove", wanted, *at).cpu_s
    chain.close()
    return [
        Curve(
            name=f"audit {command}: one event in the middle of a log",
            of="records",
            unit="s of CPU",
            costs=costs,
            most_exponent=CONSTANT,
        )
        for command, costs in (("show --event", shown), ("prove", proved))
    ]


def _given(number: int, moment: datetime) -> Given:
    it = entry(number)
    own = id_at(moment, number).encode()
    return Given(it.id, it.raw.replace(event_id(number).encode(), own))
