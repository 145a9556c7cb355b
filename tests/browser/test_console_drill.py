"""The operator's drill in a browser alone: what fails is found, mended, and made good."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Locator, expect

from gateway.drill.delivery_load import DeliveryLoad
from gateway.local.redis_server import RedisServer
from gateway.sandbox.portal import SANDBOX
from tests.browser.console_browser import ConsoleBrowser, open_page
from tests.integration.notifier.sinks import HttpSink, http_sink
from tests.integration.operating.installation import INDEX, OTHER, Installation, posted
from tests.integration.operating.test_drill import handled, rows_after
from tests.support.console_stage import OPERATOR, VIEWER
from tests.support.eventually import eventually
from tests.support.receiver_process import Receiver
from tests.support.spooled import spooled

GROUP: Final = "search-index"
TOKENS: Final = {"CONSOLE_TOKEN": VIEWER, "CONSOLE_OPERATOR_TOKEN": OPERATOR}
PLACES: Final = ("letters", "stuck", "tail", "groups", "portals")


@asynccontextmanager
async def console(browser: Browser, receiver: Receiver) -> AsyncIterator[ConsoleBrowser]:
    """The console of a receiver, in front of an operator."""
    url = f"http://127.0.0.1:{receiver.admin_port}/console/"
    async with open_page(browser, url) as one:
        await one.log_in(OPERATOR, "Ann")
        yield one


async def shows(one: ConsoleBrowser, place: str, text: str | re.Pattern[str]) -> None:
    """Load a page until it says this."""

    async def is_there() -> bool:
        await one.go(place)
        said = await one.page.locator("main").inner_text()
        return (
            re.search(text if isinstance(text, re.Pattern) else re.escape(text), said) is not None
        )

    await eventually(is_there)


async def group_form(one: ConsoleBrowser, group: str, action: str) -> Locator:
    """The form of a group by which something is changed, on the page of groups, in view."""
    await one.go("groups")
    card = one.page.locator("section.card", has=one.page.get_by_role("heading", name=group))
    form = card.locator(f"form[action$='/{action}']")
    if not await form.is_visible():
        await card.locator("summary", has_text="Pause, strike").click()
    return form


async def test_a_consumer_that_fails_on_a_portal_is_found_and_all_is_made_good(
    browser: Browser, redis_url: str, tmp_path: Path
) -> None:
    async with http_sink() as sink:
        here = Installation(tmp_path, redis_url, sink_url=sink.url, settings=TOKENS)
        async with here.receiving() as receiver, console(browser, receiver) as one:
            with here.consuming("notifier"), here.consuming("warehouse"):
                await shows(one, "groups", "notifier")  # it begins with what is new
                await _mend(here, receiver, one)
                await _replay(here, receiver, one, sink)
            assert one.problems == []


async def _mend(here: Installation, receiver: Receiver, one: ConsoleBrowser) -> None:
    """Six events, on three of which the consumer fails; in the end it has handled each once."""
    page, main = one.page, one.page.locator("main")
    with here.consuming(INDEX, INDEX_FAILS_FOR=OTHER.domain) as index:
        fine = await posted(receiver, SANDBOX, 1)
        given_up, failing = [await posted(receiver, OTHER, number) for number in (3, 4)]

        # Found, and explained.
        await shows(one, "now", f"1 dead letter of group {GROUP}")
        await page.click(f"a[href='/console/letters?group={GROUP}']")
        await expect(main).to_contain_text("the index knows no such portal")
        await expect(main).to_contain_text(OTHER.domain)
        await shows(one, f"stuck?group={GROUP}", "Transient: the portal's index is locked")
        await page.click(f"a:text-is('{failing}')")
        await expect(page.locator(".lane.work", has_text=GROUP)).to_contain_text("is locked")
        await one.go(f"event?id={given_up}")
        await expect(page.locator(".lane.dead", has_text=GROUP)).to_contain_text("no such portal")
        await one.go(f"event?id={fine}")
        await expect(page.locator(".lane.done", has_text=GROUP)).to_contain_text("handled")

        # That portal paused: the others go on.
        form = await group_form(one, GROUP, "pause")
        await form.locator("input[name=portal]").fill(OTHER.domain)
        await form.locator("input[name=why]").fill("the index of this portal")
        await form.locator("button").click()
        await expect(main).to_contain_text("Paused: 1")
        behind = await posted(receiver, OTHER, 6)
        await shows(one, f"event?id={behind}", f"Paused: portal={OTHER.domain}")
        beside = await posted(receiver, SANDBOX, 5)
        await eventually(lambda: beside in handled(index))

    # Mended: another process, which keeps to the pause.
    with here.consuming(INDEX) as index:
        after = await posted(receiver, SANDBOX, 7)
        await eventually(lambda: after in handled(index))
        assert handled(index) == {fine, beside, after}

        # Resumed, and what was given up is given back.
        form = await group_form(one, GROUP, "resume")
        await form.locator("button").click()
        await expect(main).to_contain_text("Pauses ended: 1")
        await eventually(lambda: {failing, behind} <= handled(index))
        await one.go(f"letters?group={GROUP}&portal={OTHER.domain}")
        await page.click("text=Give all back…")
        await page.click("text=Yes, give them back")
        await expect(main).to_contain_text("Given back: 1")
        await eventually(lambda: given_up in handled(index))
        await shows(one, f"letters?group={GROUP}", "No dead letters.")
        await shows(one, f"event?id={given_up}", re.compile(f"{GROUP}\\s+handled"))
        assert set(Counter(event_id for (event_id,) in index.effects()).values()) == {1}


async def _replay(
    here: Installation, receiver: Receiver, one: ConsoleBrowser, sink: HttpSink
) -> None:
    """The warehouse has lost its rows: they come back, and nobody is told of anything again."""
    main = one.page.locator("main")
    await eventually(lambda: len(sink.received) == 6)
    await eventually(lambda: rows_after(here.warehouse) == 6)
    lose = "DELETE FROM bitrix24.comment_events"
    await eventually(lambda: rows_after(here.warehouse, lose) is not None)
    for group in ("warehouse", "notifier"):
        form = await group_form(one, group, "replay")
        await form.locator("input[name=from]").fill("1d")
        await form.locator("input[name=type]").fill("comment.updated")
        await form.locator("button").click()
        await expect(main).to_contain_text("Give the group these events again?")
        await one.page.click("text=Yes, replay them")
        await expect(main).to_contain_text("Given again: 6")
    await eventually(lambda: rows_after(here.warehouse) == 6)
    await posted(receiver, SANDBOX, 8)
    await eventually(lambda: len(sink.received) > 6)
    assert (len(sink.received), sink.doubles) == (7, 0)


async def test_with_redis_killed_every_screen_says_so_and_a_lost_event_opens_the_balance(
    browser: Browser, own_server: RedisServer, tmp_path: Path
) -> None:
    here = Installation(tmp_path, own_server.url, settings=TOKENS)
    async with (
        here.receiving() as receiver,
        DeliveryLoad([receiver.port], rate=40, senders=4) as load,
        console(browser, receiver) as one,
    ):
        with here.consuming(INDEX):
            await shows(one, "groups", GROUP)
            for place in PLACES:
                await one.go(place)
            await shows(one, "now", GROUP)
            own_server.kill()
            await load.until_answered_from("spool", timeout_s=20)
            waiting = next(it for it in reversed(load.deliveries) if it.stored == "spool").event_id
            await _look_around(one, waiting)
    lost = spooled(here.spool)
    assert lost > 0

    for file in here.spool.glob("spool.sqlite3*"):
        file.unlink()
    own_server.start()
    async with here.receiving() as receiver, console(browser, receiver) as one:
        await shows(one, "now", f"{lost} are missing: spool {here.spool}")
        await expect(one.page.locator(".figures .bad")).to_contain_text(str(lost))
        await expect(one.page.locator(".verdict .big")).to_have_text("Not well")
        await one.page.click("summary:text-is('Take it for lost')")
        await one.page.fill("input[name=why]", "the disk was changed")
        await one.page.click("button:text-is('Take it for lost…')")
        await one.page.click("text=Yes, take them for lost")
        await expect(one.page.locator("main")).to_contain_text(f"Taken for lost: {lost}")
        await shows(one, "now", f"written off: {lost}")
        await expect(one.page.locator(".figures .bad")).to_have_count(0)


async def _look_around(one: ConsoleBrowser, waiting: str) -> None:
    """Redis is dead, and events go on coming: what each screen knows, and since when."""
    alert = one.page.get_by_role("alert")
    await shows(one, "now", "Redis is away:")
    await expect(one.page.locator(".verdict .big")).to_have_text("Not well")
    await expect(alert.first).to_contain_text("What is shown below is as it was at")
    await expect(one.page.locator("main")).to_contain_text(GROUP)
    await expect(one.page.locator("section", has_text="Spools").locator("tbody")).to_be_visible()
    for place in PLACES:
        await one.go(place)
        await expect(alert.first).to_contain_text("Redis is away:")
        await expect(alert.first).to_contain_text("What is shown below is as it was at")
    await one.go("letters?group=nobody")
    await expect(alert.first).to_contain_text("Nothing is known from before.")
    await one.go(f"event?id={waiting}")
    await expect(one.page.locator("main")).to_contain_text("Waits in the spool of this machine")
    await expect(alert.first).to_contain_text("does not answer")
    await shows(one, "doctor", "does not answer")
