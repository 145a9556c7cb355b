"""Background tasks that end unexpectedly: told, counted, and never without a consequence."""

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest
import structlog
from prometheus_client import REGISTRY

from gateway import background
from gateway.background import Background, Errands, watched
from gateway.errors import BackgroundFailed
from tests.support.eventually import eventually


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_FIRST_PAUSE_S", 0.001)


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _fail() -> None:
    raise ValueError("nobody foresaw this")


async def _return() -> None:
    pass


async def _leak_a_cancellation() -> None:
    raise asyncio.CancelledError


def failures(task: str) -> float:
    labels = {"task": task}
    return REGISTRY.get_sample_value("b24gw_background_failures_total", labels) or 0.0


@pytest.mark.parametrize("work", [_fail, _return, _leak_a_cancellation])
async def test_an_end_that_nobody_asked_for_is_told_counted_and_ends_the_process(
    work: Callable[[], Awaitable[None]],
) -> None:
    stopping, before = asyncio.Event(), failures("lane")
    task = Background(work, name="lane")

    with (
        structlog.testing.capture_logs() as logs,
        pytest.raises(BackgroundFailed, match="lane"),
        watched(stopping.set) as watch,
    ):
        assert await watch.why_not_alive() is None
        task.start()
        await stopping.wait()
        assert await watch.why_not_alive() == "lane has ended"
        await task.close()

    assert failures("lane") == before + 1
    (line,) = logs
    assert (line["log_level"], line["task"]) == ("error", "lane")
    assert work is _return or isinstance(line["exc_info"], BaseException)


async def test_what_its_owner_ends_is_no_fault() -> None:
    stopping, told, before = asyncio.Event(), asyncio.Event(), failures("part")
    closed = Background(_for_ever, name="part")
    finished = Background(lambda: _wait(told), name="part")

    with watched(stopping.set) as watch:
        for task in (closed, finished):
            task.start()
        await asyncio.sleep(0)
        await closed.close()
        await closed.close()
        told.set()
        await finished.finish()
        assert await watch.why_not_alive() is None

    assert not stopping.is_set()
    assert failures("part") == before


async def test_an_error_while_its_owner_waits_for_its_end_is_told_and_waited_for() -> None:
    told = asyncio.Event()

    async def work() -> None:
        await told.wait()
        raise ValueError("at the last moment")

    task = Background(work, name="at the end")
    with pytest.raises(BackgroundFailed), watched(lambda: None):
        task.start()
        await asyncio.sleep(0)
        told.set()
        await task.finish()

    assert failures("at the end") == 1


async def test_work_that_begins_anew_is_unhealthy_only_while_it_keeps_failing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stopping, calls, mended = asyncio.Event(), 0, False

    async def work() -> None:
        nonlocal calls
        calls += 1
        if not mended:
            raise ValueError("nobody foresaw this")
        await _for_ever()

    task = Background(work, name="drainer", begins_anew=True, longest_pause_s=0.001)
    with watched(stopping.set) as watch:
        task.start()
        await eventually(lambda: calls == 2)
        assert await watch.why_not_alive() is None
        await eventually(lambda: task.is_failing)
        assert await watch.why_not_alive() == "drainer keeps failing"

        mended = True
        calls = 0
        await eventually(lambda: calls == 1)
        monkeypatch.setattr(background, "_STEADY_S", 0.0)
        assert await watch.why_not_alive() is None
        await task.close()

    assert not stopping.is_set()


@pytest.mark.parametrize("end", [Background.close, Background.finish])
async def test_work_that_waits_to_begin_anew_can_be_ended(
    end: Callable[[Background], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "_FIRST_PAUSE_S", 3600.0)
    before = failures("waiting")
    task = Background(_fail, name="waiting", begins_anew=True, longest_pause_s=3600)
    task.start()
    await eventually(lambda: failures("waiting") > before)

    async with asyncio.timeout(5):
        await end(task)


async def test_one_process_with_two_receivers_tells_their_tasks_apart() -> None:
    async def receiver(work: Callable[[], Awaitable[None]]) -> tuple[str | None, bool]:
        stopping = asyncio.Event()
        try:
            with watched(stopping.set) as watch:
                task = Background(work, name="lane")
                task.start()
                await asyncio.sleep(0.01)
                await task.close()
                return await watch.why_not_alive(), stopping.is_set()
        except BackgroundFailed:
            return "failed", stopping.is_set()

    ill, well = await asyncio.gather(
        asyncio.create_task(receiver(_fail)), asyncio.create_task(receiver(_for_ever))
    )

    assert ill == ("failed", True)
    assert well == (None, False)


async def test_a_failed_errand_is_told_and_counted_and_others_go_on() -> None:
    errands, done = Errands("binding"), asyncio.Event()

    with structlog.testing.capture_logs() as logs, watched(lambda: None) as watch:
        errands.begin(_fail())
        errands.begin(_set(done))
        gc.collect()
        await errands.finish()
        assert await watch.why_not_alive() is None

    assert done.is_set()
    assert len(errands) == 0
    assert failures("binding") == 1
    assert [line["event"] for line in logs] == ["a background task has failed"]


async def test_errands_under_way_are_cut_off_when_they_are_closed() -> None:
    errands = Errands("never done")
    errands.begin(_for_ever())
    await asyncio.sleep(0)

    await errands.close()

    assert len(errands) == 0
    assert failures("never done") == 0


async def _wait(told: asyncio.Event) -> None:
    await told.wait()


async def _set(done: asyncio.Event) -> None:
    await asyncio.sleep(0)
    done.set()
