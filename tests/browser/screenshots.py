"""`make screenshots`: pictures of the pages, as they are now, for the documentation.

Nothing is asked of the network: what the browser gets is what the gateway would send to a portal
whose installation went well.
"""

import asyncio
import sys
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Route, expect

from gateway.bitrix24.bindings import Bound, expected
from gateway.event_subscription import EventSubscription
from gateway.installation.page.outcome import InstallConnected
from gateway.installation.page.texts import Language
from gateway.installation.page.view import BX24_SCRIPT, page_of
from tests.browser.chromium import find_chromium
from tests.browser.stage import BX24, open_browser

_DIRECTORY: Final = Path(__file__).parents[2] / "docs" / "images"
_PORTAL: Final = "https://acme.bitrix24.com"
_PAGE: Final = "https://gateway.example.com/bitrix24/install"
_HANDLER: Final = "https://gateway.example.com/bitrix24/events"
_QUERY: Final = "?DOMAIN=acme.bitrix24.com&PROTOCOL=1&APP_SID=x"
_SHELL: Final = f"""<!DOCTYPE html>
<style>body {{ margin: 0; }} iframe {{ border: 0; width: 100vw; height: 100vh; }}</style>
<iframe name="app" src="{_PAGE}{_QUERY}"></iframe>
<script>
window.addEventListener("message", function (event) {{
  event.source.postMessage("getInitData", event.origin);
}});
</script>
"""


async def main() -> None:
    """Take all of them."""
    chromium = find_chromium()
    if chromium is None:
        sys.exit("no Chromium to take screenshots with: make chromium")
    _DIRECTORY.mkdir(exist_ok=True)
    languages: tuple[Language, ...] = ("en", "ru")
    async with open_browser(chromium) as browser:
        for language in languages:
            await _take(browser, language, _DIRECTORY / f"install-{language}.png")


async def _take(browser: Browser, language: Language, file: Path) -> None:
    outcome = InstallConnected(
        domain="acme.bitrix24.com",
        origins=(_PORTAL,),
        has_token=True,
        handler=_HANDLER,
        events=EventSubscription().queued,
        bound=Bound(bound=expected(_HANDLER, EventSubscription())),
    )
    reference = "01936b2e-6f00-7c3a-9d41-2b5e8f7a1c60"
    shown = page_of(outcome, language=language, reference=reference, nonce="made-for-a-picture")
    page = await browser.new_page(viewport={"width": 760, "height": 640}, device_scale_factor=2)

    async def shell(route: Route) -> None:
        await route.fulfill(body=_SHELL, content_type="text/html")

    async def install(route: Route) -> None:
        await route.fulfill(body=shown.html, headers=shown.headers)

    async def script(route: Route) -> None:
        await route.fulfill(body=BX24, content_type="text/javascript")

    await page.route(f"{_PORTAL}/marketplace/app/1/", shell)
    await page.route(f"{_PAGE}**", install)
    await page.route(f"{BX24_SCRIPT}**", script)
    await page.goto(f"{_PORTAL}/marketplace/app/1/")
    frame = page.frame("app")
    assert frame is not None
    await expect(frame.locator(".finished")).to_be_visible()
    height = await frame.evaluate("document.documentElement.scrollHeight")
    await page.set_viewport_size({"width": 760, "height": int(height)})
    await page.screenshot(path=file)
    print(file.relative_to(Path.cwd()))
    await page.close()


if __name__ == "__main__":
    asyncio.run(main())
