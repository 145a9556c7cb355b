"""The public port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.protection.edge import Serve, serving


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Serves with these settings of [http]; returns the port."""
    async with serving(tmp_path) as listen:
        yield listen
