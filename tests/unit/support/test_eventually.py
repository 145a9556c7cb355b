"""What a test says that has waited in vain, and what it looks at while it waits."""

import asyncio

import pytest

from tests.support.eventually import eventually, eventually_blocking


async def test_what_was_seen_is_returned_as_soon_as_it_is_there() -> None:
    found: list[int] = []
    asyncio.get_running_loop().call_later(0.02, found.append, 7)

    assert await eventually(lambda: found) == [7]


async def test_a_wait_in_vain_says_what_it_saw_last_and_what_of() -> None:
    found = [1, 2]

    with pytest.raises(AssertionError, match=r"len\(found\) == 3.*last: False.*found = \[1, 2\]"):
        await eventually(lambda: len(found) == 3, timeout_s=0.01)
    with pytest.raises(AssertionError, match=r"last: 0, with found = \[1, 2\]"):
        eventually_blocking(lambda: found.count(3), timeout_s=0.01)


async def test_a_look_that_hangs_is_cut_off() -> None:
    with pytest.raises(TimeoutError):
        await eventually(asyncio.Event().wait, timeout_s=0.01)


def test_a_wait_without_an_event_loop_ends_as_soon_as_it_is_so() -> None:
    looks = iter([0, None, "here"])

    assert eventually_blocking(lambda: next(looks)) == "here"
