"""The public port."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.protection.edge import Serve, serving


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves with these settings of [http]; returns the port."""
    async with serving() as listen:
        yield listen
