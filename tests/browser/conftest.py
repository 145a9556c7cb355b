"""A browser, and a gateway that portals install."""

import os
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from gateway.sandbox.live_portal import LivePortal
from tests.browser.chromium import find_chromium
from tests.browser.stage import Stage, open_browser, open_stage
from tests.integration.installation.conftest import gateway, key, port, portal, sandbox, settings

__all__ = ["gateway", "key", "port", "portal", "sandbox", "settings"]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    chromium = find_chromium()
    if chromium is None:
        # Where nobody would notice that they are skipped, they fail.
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no Chromium: `make chromium`")
    async with open_browser(chromium) as one:
        yield one


@pytest.fixture
async def stage(browser: Browser, portal: LivePortal) -> AsyncIterator[Stage]:
    await portal.install(None)
    async with open_stage(browser, portal) as one:
        yield one
