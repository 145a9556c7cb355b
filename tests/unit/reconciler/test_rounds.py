import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from gateway.bitrix24.errors import MaybeDone, Unauthorized, Unavailable
from gateway.portals.directory import Portal
from gateway.reconciler import rounds as going_round
from gateway.reconciler import turn_places
from gateway.reconciler.duties import Duty
from gateway.reconciler.rounds import Rounds
from tests.support.eventually import eventually

PORTALS = [Portal(member_id=name, domain=name, digests=()) for name in ("a", "b", "c")]
Act = Callable[[Portal], Awaitable[float | None]]


def rounds(*acts: Act, at_once: int = 10) -> Rounds:
    duties = [Duty(name=act.__name__, every_s=3600, carry_out=act) for act in acts]
    return Rounds(duties, PORTALS, at_once=at_once)


async def test_once_carries_out_every_duty_for_every_portal_in_order() -> None:
    done: list[tuple[str, str]] = []

    async def drain(portal: Portal) -> None:
        await asyncio.sleep(0)
        done.append(("drain", portal.member_id))

    async def sweep(portal: Portal) -> None:
        done.append(("sweep", portal.member_id))

    assert await rounds(drain, sweep).once()

    assert Counter(done).total() == 6
    for portal in PORTALS:
        mine = [name for name, member_id in done if member_id == portal.member_id]
        assert mine == ["drain", "sweep"]


async def test_once_goes_on_until_a_duty_is_done_with_a_portal() -> None:
    turns: Counter[str] = Counter()

    async def drain(portal: Portal) -> float | None:
        turns[portal.member_id] += 1
        return 0.001 if turns[portal.member_id] < 3 else None

    assert await rounds(drain).once()

    assert turns == {"a": 3, "b": 3, "c": 3}


async def test_what_fails_for_one_portal_is_done_for_the_others_and_told() -> None:
    done = []

    async def drain(portal: Portal) -> None:
        if portal.member_id == "b":
            raise Unavailable("no connection")
        if portal.member_id == "c":
            raise KeyError("unforeseen")
        done.append(portal.member_id)

    with capture_logs() as lines:
        assert not await rounds(drain).once()

    assert done == ["a"]
    told = {line["member_id"]: (line["log_level"], line.get("kind")) for line in lines}
    assert told == {"b": ("warning", "Unavailable"), "c": ("error", None)}


async def test_a_trouble_that_lasts_is_told_once_until_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(going_round, "_LOOK_S", 0.01)
    turns = 0
    stop = asyncio.Event()

    async def drain(portal: Portal) -> float | None:
        nonlocal turns
        if portal.member_id != "a":
            return None
        turns += 1
        ours.wake("drain", "a", in_s=0)
        if turns == 6:
            stop.set()
        is_refused = turns != 3
        if is_refused:
            raise Unauthorized("no grant")
        return None

    ours = rounds(drain)
    with capture_logs() as lines:
        await ours.run(stop)

    assert turns == 6
    assert len([line for line in lines if line["log_level"] == "warning"]) == 2


async def test_only_so_many_portals_have_a_turn_at_once() -> None:
    under_way, most = 0, 0

    async def drain(_: Portal) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1

    assert await rounds(drain, at_once=2).once()

    assert most == 2


async def test_a_stop_finishes_what_was_begun_and_a_cancellation_does_not() -> None:
    begun, ended, stop = asyncio.Event(), [], asyncio.Event()

    async def drain(portal: Portal) -> None:
        begun.set()
        await asyncio.sleep(0.05)
        ended.append(portal.member_id)

    task = asyncio.create_task(rounds(drain).run(stop))
    await begun.wait()
    stop.set()
    await task
    assert sorted(ended) == ["a", "b", "c"]

    ended.clear()
    begun.clear()
    task = asyncio.create_task(rounds(drain).run(asyncio.Event()))
    await begun.wait()
    task.cancel()
    await asyncio.wait([task])
    assert ended == []


def crowd(count: int) -> list[Portal]:
    return [Portal(member_id=f"m{number}", domain="", digests=()) for number in range(count)]


def hangs(portal: Portal) -> bool:
    return int(portal.member_id[1:]) % 10 == 0


async def run_until(going: Rounds, is_done: Callable[[], bool], *, timeout_s: float) -> None:
    stop = asyncio.Event()
    running = asyncio.ensure_future(going.run(stop))
    try:
        await eventually(is_done, timeout_s=timeout_s)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_hundred_portals_that_hang_cost_nine_hundred_others_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turn_places, "_KEPT_S", 0.05)
    monkeypatch.setattr(going_round, "_LOOK_S", 0.01)
    drained: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    heard: Counter[str] = Counter()

    async def drain(portal: Portal) -> float:
        if hangs(portal):
            asked[portal.member_id] += 1
            await asyncio.sleep(1.0)
            raise Unavailable("no answer")
        await asyncio.sleep(0.01)
        drained[portal.member_id] += 1
        return 0.01

    async def silence(portal: Portal) -> None:
        heard[portal.member_id] += 1

    duties = [
        Duty(name="drain", every_s=0.01, carry_out=drain),
        Duty(name="silence", every_s=3600, carry_out=silence, asks=False),
    ]
    going = Rounds(duties, crowd(1000), at_once=32)
    # 900 portals, 10 ms each in 32 places, is 0.3 s a round; what hangs would hold them for 3 s.
    await run_until(going, lambda: len(drained) == 900 and min(drained.values()) >= 5, timeout_s=12)

    assert len(heard) == 1000
    assert set(asked.values()) <= {1}


async def test_of_many_portals_that_are_due_few_are_tasks_and_all_have_their_turn_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(going_round, "_LOOK_S", 0.01)
    drained: list[str] = []
    most = 0

    async def drain(portal: Portal) -> None:
        nonlocal most
        most = max(most, len(asyncio.all_tasks()))
        await asyncio.sleep(0)
        drained.append(portal.member_id)

    portals = crowd(5_000)
    going = Rounds([Duty(name="drain", every_s=3600, carry_out=drain)], portals, at_once=32)
    await run_until(going, lambda: len(drained) >= 5_000, timeout_s=30)

    assert drained == [portal.member_id for portal in portals]
    assert most < 600


async def test_a_portal_that_is_gone_before_its_turn_has_none_and_has_one_if_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(going_round, "_LOOK_S", 0.01)
    monkeypatch.setattr(going_round, "_AHEAD", 1)
    portals, gone = crowd(2), crowd(2)[1]
    drained: list[str] = []

    async def drain(portal: Portal) -> None:
        if portal.member_id == "m0" and not drained:
            portals.remove(gone)
        drained.append(portal.member_id)

    going = Rounds([Duty(name="drain", every_s=0.05, carry_out=drain)], portals, at_once=32)
    running = asyncio.ensure_future(going.run(asyncio.Event()))
    await eventually(lambda: len(drained) >= 3)
    assert set(drained) == {"m0"}

    portals.append(gone)
    await eventually(lambda: "m1" in drained)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_portal_that_signals_is_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(going_round, "_LOOK_S", 0.01)
    turns = 0

    async def drain(_portal: Portal) -> None:
        nonlocal turns
        turns += 1
        if turns == 1:
            raise Unavailable("no answer")
        if turns == 2:
            raise MaybeDone("no answer")

    going = Rounds([Duty(name="drain", every_s=0.01, carry_out=drain)], crowd(1), at_once=1)
    stop = asyncio.Event()
    running = asyncio.ensure_future(going.run(stop))
    await eventually(lambda: turns == 1)
    going.signalled("drain", "m0")
    await eventually(lambda: turns == 2)
    going.signalled("drain", "m0")
    await eventually(lambda: turns > 3)
    stop.set()
    await running
