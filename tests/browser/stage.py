"""A browser in front of a portal that shows the installation page in a frame, as portals do.

The portal's own page and Bitrix24's script are stand-ins that the browser gets instead of them; the
gateway, the authorization server and the portal's REST are real servers.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from html import escape
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from playwright.async_api import Browser, Frame, Page, Playwright, Route, async_playwright
from playwright.async_api import Error as BrowserError

from gateway.installation.page.view import BX24_SCRIPT
from gateway.sandbox.live_portal import LivePortal
from gateway.sandbox.pages import PageOpened
from tests.browser.chromium import Chromium

__all__ = ["BX24", "Stage", "open_browser", "open_stage"]

BX24: Final = Path(__file__).with_name("bx24.js").read_text()
"""The stand-in for Bitrix24's script."""
_SHELL: Final = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>Portal</title>
<style>body {{ margin: 0; }} iframe {{ border: 0; width: 100vw; height: 100vh; }}</style></head>
<body>
<iframe name="app"></iframe>
<form method="POST" action="{action}" target="app">{fields}</form>
<script>
window.addEventListener("message", function (event) {{
  var command = String(event.data).split(":")[0];
  if (command === "getInitData") event.source.postMessage("getInitData", event.origin);
  if (command === "setInstallFinish") window.installFinished();
}});
document.forms[0].submit();
</script>
</body></html>
"""


class Stage:
    """A page of the browser; `finishes` counts how often the portal was told that it is done.

    `problems` are what the browser complains of: violated policies, failed requests, exceptions.
    """

    def __init__(self, page: Page, portal: LivePortal) -> None:
        self.page = page
        self.portal = portal
        self.finishes = 0
        self.problems: list[str] = []
        self.has_script = True
        page.on("console", self._noted)
        page.on("pageerror", lambda error: self.problems.append(str(error)))

    async def start(self) -> None:
        """Let the browser ask for the stand-ins."""
        await self.page.expose_function("installFinished", self._finished)
        await self.page.route(f"{BX24_SCRIPT}**", self._script)

    async def show(self, opened: PageOpened, page_url: str, *, at: str = "") -> Frame:
        """Open the application in the portal, or in a page at another address; gives the frame."""
        shell = at or f"{self.portal.endpoint.removesuffix('rest/')}marketplace/app/1/"
        fields = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
            for name, value in opened.form.items()
        )
        html = _SHELL.format(action=escape(f"{page_url}?{urlencode(opened.query)}"), fields=fields)

        async def serve(route: Route) -> None:
            await route.fulfill(body=html, content_type="text/html")

        await self.page.route(shell, serve)
        async with self.page.expect_response(lambda answer: answer.url.startswith(page_url)):
            await self.page.goto(shell, wait_until="commit")
        frame = self.page.frame("app")
        assert frame is not None
        return frame

    async def _script(self, route: Route) -> None:
        if self.has_script:
            await route.fulfill(body=BX24, content_type="text/javascript")
        else:
            await route.abort()

    def _finished(self) -> None:
        self.finishes += 1
        self.portal.finish_installation()

    def _noted(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)


@asynccontextmanager
async def open_browser(chromium: Chromium) -> AsyncIterator[Browser]:
    """The browser, headless and without a sandbox of its own: containers give it none."""
    async with async_playwright() as playwright:
        browser = await _launched(playwright, chromium)
        yield browser
        await browser.close()


async def _launched(playwright: Playwright, chromium: Chromium) -> Browser:
    """The browser; of several that start at once, one ends by a signal of its own now and then."""
    with suppress(BrowserError):
        return await _launch(playwright, chromium)
    return await _launch(playwright, chromium)


async def _launch(playwright: Playwright, chromium: Chromium) -> Browser:
    return await playwright.chromium.launch(
        executable_path=chromium.path,
        env=dict(chromium.environment),
        # The stand-in for the portal's page comes from nowhere, which Chromium takes for the
        # internet, from where it does not let a page post to this machine.
        args=["--no-sandbox", "--disable-gpu", "--disable-features=LocalNetworkAccessChecks"],
    )


@asynccontextmanager
async def open_stage(
    browser: Browser, portal: LivePortal, *, size: tuple[int, int] = (1000, 720)
) -> AsyncIterator[Stage]:
    """A page of its own."""
    width, height = size
    page = await browser.new_page(
        viewport={"width": width, "height": height}, device_scale_factor=2
    )
    stage = Stage(page, portal)
    await stage.start()
    yield stage
    await page.close()
