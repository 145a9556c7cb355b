"""A browser in front of the console, and what it complains of."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Literal

from playwright.async_api import Browser, Page

__all__ = ["ConsoleBrowser", "open_page"]

_IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"


class ConsoleBrowser:
    """A page; `problems` are violated policies, failed requests, exceptions."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.problems: list[str] = []
        page.on("console", self._noted)
        page.on("pageerror", lambda error: self.problems.append(str(error)))

    async def go(self, place: str) -> None:
        """Open a page of the console."""
        await self.page.goto(self.url + place)

    async def log_in(self, token: str, name: str) -> None:
        """Give a token in the form that everybody gets first."""
        await self.go("")
        await self.page.fill("input[name=token]", token)
        await self.page.fill("input[name=name]", name)
        await self.page.click("main button")
        await self.page.wait_for_selector("nav")

    async def take(self, name: str, *, most_high: int = 1000) -> None:
        """A picture for the documentation, if `make screenshots` asks for them."""
        if not os.environ.get("SCREENSHOTS"):
            return
        await self.page.evaluate("document.activeElement?.blur()")
        height = await self.page.evaluate("document.documentElement.scrollHeight")
        width = self.page.viewport_size["width"] if self.page.viewport_size else 1180
        await self.page.set_viewport_size({"width": width, "height": min(int(height), most_high)})
        await self.page.screenshot(path=_IMAGES / f"{name}.png")

    def _noted(self, message: Any) -> None:
        # That a page says 401 is what some tests are about.
        if message.type in ("error", "warning") and "401" not in message.text:
            self.problems.append(message.text)


@asynccontextmanager
async def open_page(
    browser: Browser,
    url: str,
    *,
    scheme: Literal["light", "dark"] = "light",
    width: int = 1180,
    has_script: bool = True,
) -> AsyncIterator[ConsoleBrowser]:
    """A browser of its own, without anybody's cookies."""
    context = await browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
        java_script_enabled=has_script,
        locale="en-GB",
    )
    page = await context.new_page()
    yield ConsoleBrowser(page, url)
    await context.close()
