"""The console in a browser: a way through its pages, and what another site may not."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Route, expect
from redis.asyncio import Redis

from tests.browser.console_browser import open_page
from tests.integration.runtime.running import comment_event, publish
from tests.support.console_scene import furnish
from tests.support.console_stage import DEAD, EVENTS, OPERATOR, VIEWER, ConsoleClient, open_console
from tests.support.eventually import eventually

AGAIN = "b24:replay:index:{0}"
PAGES = {
    "now": "Now",
    "event": "Event",
    "letters": "Dead letters",
    "stuck": "Stuck",
    "tail": "Tail",
    "portals": "Portals",
    "groups": "Streams and groups",
    "doctor": "Doctor",
}


@pytest.fixture
async def console(redis: Redis, redis_url: str, tmp_path: Path) -> AsyncIterator[ConsoleClient]:
    async with open_console(tmp_path, redis_url) as client:
        yield client


async def test_an_operator_finds_an_event_and_repairs_what_failed(
    browser: Browser, console: ConsoleClient, redis: Redis
) -> None:
    stuck = await furnish(redis)
    async with open_page(browser, console.url) as one:
        page = one.page
        await one.log_in(OPERATOR, "Ann")
        await expect(page.locator(".verdict .big")).to_have_text("Not well")
        await expect(page.locator("main")).to_contain_text("24 dead letters of group index")
        charts = page.get_by_role("img", name="The last hour")
        await expect(charts).to_have_count(6)
        await expect(charts.nth(4)).to_have_accessible_name(
            re.compile("index on events.* at most 1,")
        )
        await one.take("console-now", most_high=1500)

        await page.click("nav >> text=Stuck")
        await expect(page.locator("#live")).to_contain_text("search.example.com does not answer")

        await one.go("event")
        await page.fill("input[name=id]", stuck.id)
        await page.keyboard.press("Enter")
        await expect(page.locator(".lane.work")).to_contain_text("index")
        await expect(page.locator(".lane.done").first).to_contain_text("audit")
        await one.take("console-event")

        await page.click("nav >> text=Dead letters")
        await page.select_option("select[name=reason]", "failed")
        await page.click("text=Show")
        await expect(page.locator("table.letters tbody tr")).to_have_count(12)
        await one.take("console-letters")
        await page.locator("input[name=address]").first.check()
        await page.click("fieldset >> text=Give back")
        await expect(page.locator("main")).to_contain_text("Given back: 1")
        assert (await redis.xlen(DEAD), await redis.xlen(AGAIN)) == (23, 1)

        await page.click("main a:text-is('Back')")
        await page.select_option("select[name=reason]", "failed")
        await page.click("text=Show")
        await page.click("text=Give all back…")
        await expect(page.locator("main")).to_contain_text("index · 11 · reason=failed")
        assert await redis.xlen(DEAD) == 23
        await page.click("text=Yes, give them back")
        await expect(page.locator("main")).to_contain_text("Given back: 11")
        assert await redis.xlen(DEAD) == 12

        await one.go("groups")
        await expect(page.locator("main")).to_contain_text("portal=volga-trade.bitrix24.ru")
        await page.click("text=Resume")
        await expect(page.locator("main")).to_contain_text("Pauses ended: 1")
        assert one.problems == []


async def test_every_page_works_without_script_in_both_languages_and_on_a_narrow_screen(
    browser: Browser, console: ConsoleClient, redis: Redis
) -> None:
    await furnish(redis)
    async with open_page(browser, console.url, width=360, has_script=False) as one:
        await one.log_in(VIEWER, "")
        for place, title in PAGES.items():
            await one.go(place)
            await expect(one.page.locator("h1")).to_have_text(title)
            await expect(one.page.locator("nav a[aria-current]")).to_have_text(title)
            wide = await one.page.locator("body").bounding_box()
            assert wide is not None
            assert wide["width"] <= 360, place
        await one.page.click("text=Русский")
        await expect(one.page.locator("h1")).to_have_text("Проверка")
        await one.go("now")
        await expect(one.page.locator(".verdict .big")).to_have_text("Есть неполадки")
        assert await one.page.locator("button.danger").count() == 0


async def test_what_is_shown_follows_what_happens_also_in_the_dark(
    browser: Browser, console: ConsoleClient, redis: Redis
) -> None:
    await furnish(redis)
    async with open_page(browser, console.url, scheme="dark") as one:
        await one.log_in(VIEWER, "")
        await expect(one.page.locator("main")).to_contain_text("24 dead letters")
        await one.take("console-now-dark", most_high=1500)

        await redis.delete(DEAD)

        await expect(one.page.locator("main")).not_to_contain_text(
            "dead letters of", timeout=30_000
        )
        assert one.problems == []


async def test_the_tail_shows_what_comes_and_holds_back_while_somebody_reads(
    browser: Browser, console: ConsoleClient, redis: Redis
) -> None:
    await furnish(redis)
    async with open_page(browser, console.url) as one:
        await one.log_in(VIEWER, "")
        await one.go("tail")
        rows = one.page.locator("#live tbody tr")
        await expect(rows).to_have_count(50)

        async def has_come() -> bool:
            """What came before the browser follows is not sent, so it comes until it is seen."""
            await publish(redis, EVENTS, [comment_event(77)])
            return "comment/77" in await rows.first.inner_text()

        await eventually(has_come)

        await one.page.mouse.wheel(0, 900)
        await one.page.wait_for_function("window.scrollY > 150")
        await publish(redis, EVENTS, [comment_event(number) for number in range(3000, 3100)])
        await expect(one.page.locator("[data-held]")).to_be_visible()
        await expect(one.page.locator("[data-skipped]")).to_be_visible()
        await expect(rows.first).to_contain_text("comment/77")

        # Not by `click`, which scrolls there first, whereupon what is new is shown anyway.
        await one.page.locator("[data-held] button").dispatch_event("click")
        await expect(rows.first).to_contain_text("comment/3099")
        assert one.problems == []


async def test_another_site_reads_nothing_and_changes_nothing(
    browser: Browser, console: ConsoleClient, redis: Redis
) -> None:
    await furnish(redis)
    async with open_page(browser, console.url) as one:
        await one.log_in(OPERATOR, "Ann")
        form = f"""<!DOCTYPE html><body>
          <form method="post" action="{console.url}act/drop">
          <input name="group" value="index"><input name="all" value="1">
          <input name="confirmed" value="1"></form></body>"""

        async def evil(route: Route) -> None:
            await route.fulfill(body=form, content_type="text/html")

        await one.page.route("http://evil.example/", evil)
        await one.page.goto("http://evil.example/")
        read = await one.page.evaluate(
            """url => fetch(url, {credentials: "include"})
               .then(it => it.text(), it => "refused")""",
            f"{console.url}api/letters",
        )
        assert read == "refused"
        sent = await one.page.evaluate(
            """url => fetch(url, {method: "POST", mode: "no-cors", credentials: "include",
               body: new URLSearchParams({group: "index", all: "1", confirmed: "1"})})
               .then(it => it.type, it => "refused")""",
            f"{console.url}act/drop",
        )
        assert sent in {"opaque", "refused"}
        async with one.page.expect_navigation():
            await one.page.evaluate("document.forms[0].submit()")
        assert "by another site" in await one.page.content()
        assert await redis.xlen(DEAD) == 24
        assert await redis.xlen(EVENTS) == 2000


async def test_no_other_site_shows_the_console_in_a_frame(
    browser: Browser, console: ConsoleClient
) -> None:
    async with open_page(browser, console.url) as one:

        async def evil(route: Route) -> None:
            frame = f'<!DOCTYPE html><iframe src="{console.url}"></iframe>'
            await route.fulfill(body=frame, content_type="text/html")

        await one.page.route("http://evil.example/", evil)
        await one.page.goto("http://evil.example/")

        await eventually(lambda: one.page.frames[1].url.startswith("chrome-error:"))
