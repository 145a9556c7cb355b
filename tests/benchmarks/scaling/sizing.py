"""Says how many processes and Redis nodes a load takes, and what fills up next. Pure."""

from collections.abc import Mapping
from math import ceil
from typing import Final

from msgspec import Struct

from tests.benchmarks.scaling.model import CONSUMERS, KINDS, CostModel

__all__ = ["ASKED", "AskingCost", "Assumptions", "Sizing", "Wanted", "sized"]

MAX_PARTITIONS: Final = 1024
"""Of [redis] partitions."""
CALLS_PER_S: Final = 2.0
EVENTS_PER_CALL: Final = 50
"""What a portal takes for long, and what a batch holds: docs/bitrix24.md."""
ASKED: Final = "what a portal may be asked"
"""Its own limit: what is beyond it goes out without its text."""
_DAY_S: Final = 86_400.0


class AskingCost(Struct, frozen=True, kw_only=True):
    """What asking portals adds to the enricher's cost: µs for each event, µs for each call."""

    event_us: float
    call_us: float

    def us(self, rate_of_portal: float) -> float:
        """For each event of a portal that has so many a second, which one call takes together."""
        events = min(EVENTS_PER_CALL, max(1.0, rate_of_portal / CALLS_PER_S))
        return self.event_us + self.call_us / events


class Assumptions(Struct, frozen=True, kw_only=True):
    """What is taken for granted. `fill` is how much of a core or of memory may be in use.

    `leader_cores` are those that the leader of `gateway reconcile` takes for each portal.
    `notified` is the share of events that somebody is told of, each for `notice_us`.
    """

    event_bytes: float
    leader_cores: float
    asking: AskingCost
    fill: float = 0.6
    node_bytes: float = 64e9
    kept_s: float = _DAY_S
    notified: float = 0.01
    notice_us: float = 0.0


class Wanted(Struct, frozen=True):
    """A load: events a second, of so many portals."""

    rate: float
    portals: int


class Sizing(Struct, frozen=True, kw_only=True):
    """What one load takes, over all installations.

    `fills` says how full each thing is that there is: of the most that it can be, and of what one
    of them can do. `next` is what is fullest, and so what has to grow next.
    """

    wanted: Wanted
    installations: int
    receivers: int
    partitions: int
    redis_nodes: int
    redis_for_cpu: int
    redis_for_memory: int
    consumers: Mapping[str, int]
    cores: Mapping[str, float]
    memory_bytes: float
    fills: Mapping[str, float]

    @property
    def next(self) -> str:
        """What fills up next."""
        return max(self.fills, key=lambda name: self.fills[name])


def sized(model: CostModel, wanted: Wanted, given: Assumptions) -> Sizing:
    """The least that carries a load, each installation alike.

    So many installations that one leader looks after the portals of one, and that no stream has
    more partitions than there may be.
    """
    installations = max(1, ceil(wanted.portals * given.leader_cores / given.fill))
    while True:
        part = Wanted(wanted.rate / installations, ceil(wanted.portals / installations))
        found = _installation(model, part, given)
        if found.partitions <= MAX_PARTITIONS:
            return _times(found, installations, wanted)
        installations = max(
            installations + 1, ceil(installations * found.partitions / MAX_PARTITIONS)
        )


def _installation(model: CostModel, wanted: Wanted, given: Assumptions) -> Sizing:
    """What one installation takes. More processes gather less each, and cost more: found in turns.

    A process gathers from no more than reaches it, a node of Redis from what it holds, and nothing
    from more than was measured.
    """
    memory = wanted.rate * given.kept_s * given.event_bytes
    for_memory = max(1, ceil(memory / (given.node_bytes * given.fill)))
    counts = dict.fromkeys(model.costs, 1) | {"redis": for_memory}
    while True:
        partitions = max(counts["redis"], *(counts[kind] for kind in CONSUMERS))
        cores = {
            kind: wanted.rate * _us(model, kind, wanted, counts, partitions, given) / 1e6
            for kind in KINDS
        }
        needed = {kind: max(counts[kind], ceil(cores[kind] / given.fill)) for kind in KINDS}
        if all(needed[kind] == counts[kind] for kind in KINDS):
            break
        counts |= needed
    leader = wanted.portals * given.leader_cores
    return Sizing(
        wanted=wanted,
        installations=1,
        receivers=counts["receiver"],
        partitions=partitions,
        redis_nodes=counts["redis"],
        redis_for_cpu=_nodes_for_cpu(model, wanted.rate, given),
        redis_for_memory=for_memory,
        consumers={kind: counts[kind] for kind in CONSUMERS},
        cores=cores | {"reconcile": leader},
        memory_bytes=memory,
        fills={
            **{kind: cores[kind] / counts[kind] for kind in KINDS},
            "Redis's memory": memory / (counts["redis"] * given.node_bytes),
            "the leader of reconcile": leader,
            ASKED: wanted.rate / wanted.portals / (CALLS_PER_S * EVENTS_PER_CALL),
            "partitions": partitions / MAX_PARTITIONS,
        },
    )


def _nodes_for_cpu(model: CostModel, rate: float, given: Assumptions) -> int:
    """How many nodes of Redis there would be if memory were no matter."""
    nodes = 1
    while True:
        us = model.costs["redis"].at_density(min(rate / nodes, model.densest))
        if (needed := ceil(rate * us / 1e6 / given.fill)) <= nodes:
            return nodes
        nodes = needed


def _us(
    model: CostModel,
    kind: str,
    wanted: Wanted,
    counts: Mapping[str, int],
    partitions: int,
    given: Assumptions,
) -> float:
    """What an event costs a kind, with what these measurements did without."""
    cost, rate = model.costs[kind], wanted.rate
    parts = partitions if kind in CONSUMERS else counts[kind]
    density = min(rate / parts**cost.spread, rate / counts[kind], model.densest)
    us = cost.at_density(density)
    if kind == "enricher":
        us += given.asking.us(rate / wanted.portals)
    if kind == "notifier":
        us += given.notified * given.notice_us
    return us


def _times(one: Sizing, installations: int, wanted: Wanted) -> Sizing:
    """So many installations together."""
    return Sizing(
        wanted=wanted,
        installations=installations,
        receivers=one.receivers * installations,
        partitions=one.partitions * installations,
        redis_nodes=one.redis_nodes * installations,
        redis_for_cpu=one.redis_for_cpu * installations,
        redis_for_memory=one.redis_for_memory * installations,
        consumers={kind: count * installations for kind, count in one.consumers.items()},
        cores={kind: cores * installations for kind, cores in one.cores.items()},
        memory_bytes=one.memory_bytes * installations,
        fills=one.fills,
    )
