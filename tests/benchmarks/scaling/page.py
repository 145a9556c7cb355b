"""Writes docs/scaling.md: the text of page.md around tables of what was measured. Pure."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from string import Template
from typing import Final

from tests.benchmarks.figure import rounded
from tests.benchmarks.load import request_bytes
from tests.benchmarks.load_test.load_portal import FIRST_COMMENT_ID, LOAD_PORTAL, body_writer
from tests.benchmarks.report.pictured import Lines, Point
from tests.benchmarks.scaling.measurement import Measured, Measurements, Shape
from tests.benchmarks.scaling.model import (
    CONSUMERS,
    KINDS,
    CostModel,
    Prediction,
    medians_of,
    model_of,
    predicted_knee,
    predictions,
)
from tests.benchmarks.scaling.sizing import (
    MAX_PARTITIONS,
    AskingCost,
    Assumptions,
    Sizing,
    Wanted,
    sized,
)

__all__ = ["assumptions_of", "page_of", "picture_of", "plan_table"]

_TEMPLATE: Final = Path(__file__).parent / "page.md"
_WANTED: Final = tuple(
    Wanted(rate, portals) for rate in (10, 1_000, 100_000) for portals in (10, 1_000, 100_000)
)
_PICTURE: Final = (
    '<picture><source media="(prefers-color-scheme: dark)" srcset="images/scaling-dark.svg">'
    '<img alt="Curves: CPU time of an event by rate" src="images/scaling-light.svg"></picture>'
)


def page_of(found: Measurements) -> str:
    """The page. KeyError where the template names what there is not."""
    model, given = model_of(found.rounds), assumptions_of(found)
    checked = predictions(model, found.rounds)
    sizings = [sized(model, one, given) for one in _WANTED]
    words = {
        "picture": _PICTURE,
        "machine": _machine(found),
        "costs": "\n".join(_costs(found.rounds, model)),
        "shapes": "\n".join(_shapes(found.rounds, model)),
        "idle": "\n".join(_idle(found)),
        "errors": "\n".join(_errors(checked)),
        "checked": "\n".join(_checked(checked)),
        "plan": "\n".join(plan_table(sizings)),
        "fills": "\n".join(_fills(sizings)),
        "cores_10": rounded(sum(sizings[0].cores.values())),
        **_redis(found.rounds),
        **_portals(found, given),
        **_knee(found, model),
        "fill": f"{given.fill:.0%}",
        "max_partitions": f"{MAX_PARTITIONS:,}",
        "node_gb": f"{given.node_bytes / 1e9:.0f}",
    }
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(words)


def picture_of(found: Measurements) -> Lines:
    """What an event costs on one partition with one process of each, by the model."""
    model, shape = model_of(found.rounds), Shape(1, 1)
    rates = (50, 100, 200, 400, 800, 1_500, 3_000, 6_000)
    return Lines(
        "CPU time of an event by how densely events come, one partition, by the model",
        "events a second",
        "µs",
        tuple(
            Point(kind, rate, round(model.us(kind, rate, shape), 1))
            for kind in KINDS
            for rate in rates
        ),
    )


def assumptions_of(found: Measurements) -> Assumptions:
    """What sizing takes for granted, as it was measured."""
    return Assumptions(
        event_bytes=_median(found.rounds, "redis_memory"),
        leader_cores=found.leader_cores,
        asking=_asking_cost(found),
        notice_us=found.notice_us,
    )


def plan_table(sizings: Sequence[Sizing]) -> Iterator[str]:
    """A row for each load."""
    yield (
        "| Events/s | Portals | Installations | Receiver processes | Partitions | Redis nodes "
        f"(for CPU, for memory) | {' | '.join(CONSUMERS)} | Cores in all | Memory for a day "
        "| Fills up next |"
    )
    yield "|--:|--:|--:|--:|--:|--:|" + "--:|" * len(CONSUMERS) + "--:|--:|---|"
    for one in sizings:
        consumers = " | ".join(f"{one.consumers[kind]:,}" for kind in CONSUMERS)
        yield (
            f"| {one.wanted.rate:,.0f} | {one.wanted.portals:,} | {one.installations:,} "
            f"| {one.receivers:,} | {one.partitions:,} | {one.redis_nodes:,} "
            f"({one.redis_for_cpu:,}, {one.redis_for_memory:,}) | {consumers} "
            f"| {rounded(sum(one.cores.values()))} | {_size(one.memory_bytes)} "
            f"| {one.next}, {one.fills[one.next]:,.0%} |"
        )


def _costs(rounds: Sequence[Measured], model: CostModel) -> Iterator[str]:
    rates = sorted({one.rate for one in rounds})
    yield (
        "| | "
        + " | ".join(f"at {rate:,.0f}/s, µs" for rate in rates)
        + " | In a large batch, µs | A batch of its own, µs more | Gathers for, ms | Spread |"
    )
    yield "|---|" + "--:|" * (len(rates) + 4)
    for kind in KINDS:
        of, cost = medians_of(rounds, kind), model.costs[kind]
        cells = [rounded(of[Shape(1, 1), rate]) for rate in rates]
        cells += [rounded(cost.shared_us), rounded(cost.alone_us), rounded(1000 * cost.gather_s)]
        cells += [f"{cost.spread:g}"]
        yield f"| {kind} | {' | '.join(cells)} |"
    sums = [sum(medians_of(rounds, kind)[Shape(1, 1), rate] for kind in KINDS) for rate in rates]
    shared = sum(model.costs[kind].shared_us for kind in KINDS)
    yield f"| all | {' | '.join(rounded(one) for one in sums)} | {rounded(shared)} | | | |"


def _shapes(rounds: Sequence[Measured], model: CostModel) -> Iterator[str]:
    rates = sorted({one.rate for one in rounds})
    shapes = sorted({one.shape for one in rounds})
    names = [f"{kind} at {rate:,.0f}/s" for rate in rates for kind in ("receiver", "redis", "all")]
    yield "| Partitions | Workers | " + " | ".join(names) + " |"
    yield "|--:|--:|" + "--:|" * len(names)
    for shape in shapes:
        cells = []
        for rate in rates:
            us = {kind: medians_of(rounds, kind)[shape, rate] for kind in KINDS}
            cells += [rounded(us["receiver"]), rounded(us["redis"]), rounded(sum(us.values()))]
        yield f"| {shape.partitions} | {shape.workers} | {' | '.join(cells)} |"


def _idle(found: Measurements) -> Iterator[str]:
    kinds = (*KINDS, "reconcile")
    yield "| | " + " | ".join(kinds) + " |"
    yield "|---|" + "--:|" * len(kinds)
    for shape in (Shape(1, 1), Shape(4, 4)):
        of = [one.cores for one in found.idle if one.shape == shape]
        cells = [f"{100 * median(one.get(kind, 0.0) for one in of):.2f}" for kind in kinds]
        yield f"| {shape.partitions} × {shape.workers}, % of a core | {' | '.join(cells)} |"


def _errors(checked: Sequence[Prediction]) -> Iterator[str]:
    yield "| | Median error | Largest | Places |"
    yield "|---|--:|--:|--:|"
    for kind in KINDS:
        errors = [abs(one.error) for one in checked if one.kind == kind]
        worst = max((one for one in checked if one.kind == kind), key=lambda one: abs(one.error))
        where = f"{worst.error:+.0%} at {worst.rate:,.0f}/s on {worst.shape}"
        yield f"| {kind} | {median(errors):.0%} | {where} | {len(errors)} |"
    all_errors = [abs(one.error) for one in checked]
    yield f"| all | {median(all_errors):.0%} | | {len(all_errors)} |"


def _checked(checked: Sequence[Prediction]) -> Iterator[str]:
    yield (
        "| Partitions × workers | Events/s | " + " | ".join(f"{kind}, µs" for kind in KINDS) + " |"
    )
    yield "|---|--:|" + "--:|" * len(KINDS)
    for shape, rate in dict.fromkeys((one.shape, one.rate) for one in checked):
        cells = [
            f"{rounded(one.predicted)} / {rounded(one.measured)}"
            for one in checked
            if (one.shape, one.rate) == (shape, rate)
        ]
        yield f"| {shape} | {rate:,.0f} | {' | '.join(cells)} |"


def _fills(sizings: Sequence[Sizing]) -> Iterator[str]:
    names = list(sizings[0].fills)
    yield "| Events/s | Portals | " + " | ".join(names) + " |"
    yield "|--:|--:|" + "--:|" * len(names)
    for one in sizings:
        cells = " | ".join(f"{one.fills[name]:,.0%}" for name in names)
        yield f"| {one.wanted.rate:,.0f} | {one.wanted.portals:,} | {cells} |"


def _redis(rounds: Sequence[Measured]) -> dict[str, str]:
    body = body_writer(LOAD_PORTAL)(FIRST_COMMENT_ID, 1_766_000_000)
    by_rate = {
        rate: [one for one in rounds if one.rate == rate] for rate in {one.rate for one in rounds}
    }
    low, high = by_rate[min(by_rate)], by_rate[max(by_rate)]
    return {
        "memory": rounded(_median(rounds, "redis_memory")),
        "gb_of_1000": rounded(_median(rounds, "redis_memory") * 86_400 * 1_000 / 1e9),
        "gb_of_hour": rounded(_median(rounds, "redis_memory") * 3_600 * 1_000 / 1e9),
        "redis_in": rounded(_median(high, "redis_in")),
        "redis_out": rounded(_median(high, "redis_out")),
        "redis_in_low": rounded(_median(low, "redis_in")),
        "redis_out_low": rounded(_median(low, "redis_out")),
        "commands": rounded(_median(high, "redis_commands")),
        "commands_low": rounded(_median(low, "redis_commands")),
        "high_rate": f"{max(by_rate):,.0f}",
        "low_rate": f"{min(by_rate):,.0f}",
        "request": str(len(request_bytes(body, 8080))),
    }


def _portals(found: Measurements, given: Assumptions) -> dict[str, str]:
    few, many = sorted(found.asking, key=lambda one: one.portals)[:: len(found.asking) - 1]
    return {
        "ask_event": rounded(given.asking.event_us),
        "ask_call": rounded(given.asking.call_us),
        "ask_few": f"{few.events_of_call:.1f}",
        "ask_many": f"{many.events_of_call:.1f}",
        "ask_few_us": rounded(few.cpu_us),
        "ask_many_us": rounded(many.cpu_us),
        "ask_portals": str(many.portals),
        "leader_portals": f"{given.fill / found.leader_cores:,.0f}",
        "leader_cores": rounded(10_000 * found.leader_cores),
        "notice_ms": rounded(found.notice_us / 1000),
        "notices_per_s": rounded(given.fill * 1e6 / found.notice_us),
        "notified": f"{given.notified:.0%}",
    }


def _knee(found: Measurements, model: CostModel) -> dict[str, str]:
    assert found.knee is not None
    bent = f"{found.knee.bent:,.0f}" if found.knee.bent else "more than was tried"
    return {
        "held": f"{found.knee.held:,.0f}",
        "bent": bent,
        "ended": found.knee.ended,
        "knee_events": f"{found.knee.accepted:,}",
        "machine_cores": str(found.machine.cores),
        "predicted_knee": f"{predicted_knee(model, found.machine.cores):,.0f}",
    }


def _asking_cost(found: Measurements) -> AskingCost:
    """Two unknowns of two measurements: with many events in a call, and with few."""
    few, many = sorted(found.asking, key=lambda one: one.portals)[:: len(found.asking) - 1]
    calls = 1 / many.events_of_call - 1 / few.events_of_call
    call_us = max(0.0, (many.cpu_us - few.cpu_us) / calls)
    event_us = few.cpu_us - call_us / few.events_of_call
    rate = few.rate
    without = model_of(found.rounds).us("enricher", rate, Shape(1, 1))
    return AskingCost(event_us=max(0.0, event_us - without), call_us=call_us)


def _median(rounds: Sequence[Measured], field: str) -> float:
    return float(median(getattr(one, field) for one in rounds))


def _machine(found: Measurements) -> str:
    one, count = found.machine, len(found.rounds) // len({(r.shape, r.rate) for r in found.rounds})
    return (
        f"{one.cores} cores ({one.processor}), {one.memory_gb:g} GB, Linux {one.kernel}, Python "
        f"{one.python}, {one.redis_server}; {_rounds(count)} at commit {found.commit}, "
        f"{found.began_at:%Y-%m-%d}."
    )


def _rounds(count: int) -> str:
    return "one round" if count == 1 else f"{count} rounds"


def _size(count: float) -> str:
    for unit, of in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= of:
            return f"{rounded(count / of)} {unit}"
    return f"{count:.0f} B"
