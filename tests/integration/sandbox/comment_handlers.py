"""Handlers of comments, and comments for them."""

from collections.abc import AsyncIterator

import pytest

from gateway.sandbox.live_portal import LivePortal
from tests.integration.sandbox.conftest import Handler, a_handler

UPDATE = "ONCRMTIMELINECOMMENTUPDATE"


@pytest.fixture
async def other() -> AsyncIterator[Handler]:
    async with a_handler() as one:
        yield one


def commented(portal: LivePortal, times: int = 1) -> None:
    comment_id = portal.comments.add(entity_type="deal", entity_id=15, text="0", author_id=7)
    for number in range(times):
        portal.comments.update(comment_id, text=f"{number}")
