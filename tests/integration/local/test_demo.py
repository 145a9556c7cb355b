"""The demo from end to end: a text edited in a portal arrives, and no secret does anywhere."""

import asyncio
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import duckdb
import pytest
from redis.asyncio import Redis

from gateway.local import assembly as local_up
from gateway.local.demo_portal import DemoPortal, open_demo_portal
from gateway.local.demo_services import DemoServices, open_demo_services
from gateway.redis_access import connections
from gateway.sandbox.bodies import body_of
from gateway.sandbox.grants import Grant, Grants
from gateway.sandbox.live_portal import LivePortal
from gateway.sandbox.portal import SANDBOX, PortalIdentity
from gateway.settings import load
from tests.support.eventually import eventually

ENVIRONMENT = {
    "GATEWAY_HTTP_PORT": "0",
    "GATEWAY_ADMIN_PORT": "0",
    "GATEWAY_LOG_LEVEL": "debug",
    "GATEWAY_WAREHOUSE_MAX_WAIT_S": "0.5",
    "NO_COLOR": "1",
}
EDITED = re.compile(r"portal +comment/(\d+) of deal (\d+) edited: (.*); the receiver answers 200")
READ_BY = {
    b"string": ("GET",),
    b"hash": ("HGETALL",),
    b"list": ("LRANGE", 0, -1),
    b"set": ("SMEMBERS",),
    b"zset": ("ZRANGE", 0, -1, "WITHSCORES"),
    b"stream": ("XRANGE", "-", "+"),
}
TABLES = "SELECT table_schema, table_name FROM information_schema.tables"


class Demo:
    """`gateway up --demo` in this process, so that its portal is at hand; its children are real."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.portals: list[DemoPortal] = []
        self.services: list[DemoServices] = []
        self.issued: set[str] = set()
        self._capsys = capsys
        self._printed = ""

    @property
    def printed(self) -> str:
        """Everything so far."""
        self._printed += self._capsys.readouterr().out
        return self._printed

    @property
    def portal(self) -> LivePortal:
        return self.portals[0].sandbox.portals[SANDBOX.member_id]

    @property
    def secrets(self) -> set[str]:
        """Every secret there is."""
        application = self.portals[0].sandbox.application
        return self.issued | {
            application.client_secret,
            self.portal.application_token,
            self.portal.webhook_code,
            SANDBOX.application_token,
            *self.services[0].endpoint.secrets,
        }

    def found(self, pattern: str) -> list[str]:
        return re.findall(pattern, self.printed)

    async def until_printed(self, pattern: str) -> None:
        try:
            await eventually(lambda: bool(self.found(pattern)), timeout_s=60)
        except AssertionError as error:
            raise AssertionError(f"{pattern} is not in\n{self.printed}") from error

    def warehouse(self) -> list[tuple[Any, ...]]:
        """All rows of all tables; none while it is being loaded."""
        try:
            with duckdb.connect(
                str(self.directory / "var/warehouse.duckdb"), read_only=True
            ) as base:
                return [
                    row
                    for schema, table in base.execute(TABLES).fetchall()
                    for row in base.execute(f'SELECT * FROM "{schema}"."{table}"').fetchall()
                ]
        except duckdb.IOException:
            return []


@pytest.fixture
def demo(
    tmp_path: Path,
    empty_warehouse: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Demo:
    (tmp_path / "var").mkdir()
    shutil.copy(empty_warehouse, tmp_path / "var" / "warehouse.duckdb")
    one = Demo(tmp_path, capsys)
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
        monkeypatch.delenv(name)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    issue = Grants.issue

    def issue_and_note(self: Grants, *arguments: Any, **options: Any) -> Grant:
        grant = issue(self, *arguments, **options)
        one.issued |= {grant.access_token, grant.refresh_token} - {""}
        return grant

    @asynccontextmanager
    async def noted(say: Callable[[str, str], None]) -> AsyncIterator[DemoPortal]:
        async with open_demo_portal(say) as portal:
            one.portals.append(portal)
            yield portal

    @asynccontextmanager
    async def noted_services(say: Callable[[str, str], None]) -> AsyncIterator[DemoServices]:
        async with open_demo_services(say) as services:
            one.services.append(services)
            yield services

    monkeypatch.setattr(Grants, "issue", issue_and_note)
    monkeypatch.setattr(local_up, "open_demo_portal", noted)
    monkeypatch.setattr(local_up, "open_demo_services", noted_services)
    return one


@asynccontextmanager
async def running(demo: Demo) -> AsyncIterator[None]:
    """The demo, stopped with Ctrl-C."""
    task = asyncio.create_task(
        local_up.up(
            load(None, dict(os.environ)),
            config=None,
            server=None,
            with_own_redis=True,
            with_demo=True,
        )
    )
    try:
        yield
    finally:
        if not task.done():
            os.kill(os.getpid(), signal.SIGINT)
        async with asyncio.timeout(40):
            await task


async def everything_in(redis: Redis) -> str:
    """All keys and values, as they are and not as Redis compresses them."""
    shown: list[Any] = []
    async for key in redis.scan_iter(count=1000):
        kind: Any = await redis.type(key)
        if kind == b"none":  # it has expired since it was listed
            continue
        name, *arguments = READ_BY[kind]
        value: Any = redis.execute_command(name, key, *arguments)  # type: ignore[no-untyped-call]
        shown += [key, await value]
    return repr(shown)


async def post(url: str, portal: PortalIdentity, ts: int) -> int:
    body = body_of("comment.updated", portal=portal, ts=ts)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=headers) as response,
    ):
        return response.status


async def metrics_of(urls: list[str]) -> str:
    async with aiohttp.ClientSession() as session:
        return "\n".join([await (await session.get(url)).text() for url in urls])


async def test_a_text_that_is_edited_in_the_portal_arrives_everywhere_and_no_secret_does(
    demo: Demo,
) -> None:
    places: dict[str, str] = {}
    async with running(demo):
        await demo.until_printed("installed the application; the receiver answers 200 ok")
        await demo.until_printed(EDITED.pattern)
        (receiver,) = set(demo.found(r"POST (http://\S+)"))
        (redis_url,) = set(demo.found(r"(redis://127\.0\.0\.1:\d+/0)"))
        (admin,) = set(demo.found(r"(http://\S+)/healthz"))

        comment_id, deal, text = EDITED.findall(demo.printed)[0]
        author = demo.portal.comments.find(int(comment_id)).author_id
        plain = re.escape(re.sub(r"\[.*?\]", "", text))
        await demo.until_printed(
            rf"notified +notification delivered: Comment updated: deal {deal} \(.*{plain}"
            rf".*Comment {comment_id} was updated by user {author}"
        )
        await demo.until_printed(r"notified +notification delivered: Deal updated: .*Stage: PREP")
        await demo.until_printed(r"pushed +bitrix24\.task\.updated of task/1 came, signed")

        async with connections.control(redis_url) as redis:
            # What else could spill secrets: a refresh, a token that nobody knows, a broken entry.
            demo.portal.expire_tokens()
            wrong = PortalIdentity(
                member_id=SANDBOX.member_id,
                domain=SANDBOX.domain,
                application_token="fake0unknown0application0token00",
                access_token=demo.portal.open_page().form["AUTH_ID"],
            )
            assert await post(receiver, wrong, 1) == 403
            await redis.xadd("b24:events:{0}", {"event": b"no event"})
            await eventually(
                lambda: any(
                    call.method == "oauth/token" and call.error is None
                    for call in demo.portals[0].sandbox.authorization.calls
                ),
                timeout_s=30,
            )
            before = len(EDITED.findall(demo.printed))
            await eventually(lambda: len(EDITED.findall(demo.printed)) > before + 1, timeout_s=30)
            await eventually(lambda: bool(demo.warehouse()), timeout_s=30)
            await demo.until_printed(rf"warehouse +comment/{comment_id} handled and acknowledged")
            places["Redis"] = await everything_in(redis)
        urls = demo.found(r"health and metrics +url=(http://\S+)")
        assert len(urls) == 7
        places["metrics"] = await metrics_of([f"{admin}/metrics", *urls])

    await eventually(lambda: bool(demo.warehouse()))
    rows = [row for row in demo.warehouse() if text in row]
    assert rows
    assert any({"deal", int(deal), author, int(comment_id)} <= set(row) for row in rows)
    assert demo.found("uninstalled the application; the receiver answers 200 ok")
    _, _, stop = demo.printed.partition("stopping; Ctrl-C again")
    assert [line for line in stop.splitlines() if "warning: " in line] == []

    places["terminal"] = demo.printed
    places["warehouse"] = repr(demo.warehouse())
    files = {str(path): path for path in demo.directory.rglob("*") if path.is_file()}
    places |= {name: path.read_bytes().decode("latin-1") for name, path in files.items()}
    for place in ("Redis", "terminal", "warehouse"):
        assert SANDBOX.member_id in places[place]
    assert "b24:dead:enricher:{0}" in places["Redis"]
    assert "b24_" in places["metrics"]
    assert any("audit" in name for name in files)
    assert len(demo.secrets) > 8
    leaks = {
        (place, secret)
        for place, content in places.items()
        for secret in demo.secrets
        if secret in content
    }
    assert leaks == set()
