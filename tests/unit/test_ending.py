"""Ending background tasks, those that do not notice at once included."""

import asyncio

import pytest

from gateway import ending
from gateway.ending import end


async def test_a_task_that_misses_a_cancellation_is_ended_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ending, "_AGAIN_S", 0.01)
    missed = 0

    async def go_round() -> None:
        nonlocal missed
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                if missed == 2:
                    raise
                missed += 1

    task = asyncio.create_task(go_round())
    await asyncio.sleep(0)

    await end(task)

    assert task.cancelled()
    assert missed == 2


async def test_what_a_task_does_when_it_is_cancelled_is_waited_for() -> None:
    tidied = []

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.02)
            tidied.append(True)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)

    await end(task)

    assert tidied == [True]


async def test_tasks_that_have_ended_and_no_tasks_at_all_are_fine() -> None:
    async def fail() -> None:
        raise ValueError("told to whoever asks")

    task = asyncio.create_task(fail())
    await asyncio.wait([task])

    await end(task)
    await end()

    assert isinstance(task.exception(), ValueError)
