"""A portal and an authorization server on loopback, with the limits and the moods of real ones."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Self
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.bitrix24.tokens import Tokens

MEMBER_ID = "010b6886ebc205e43ae65000ee00addb"
CLIENT_ID = "local.fake"
CLIENT_SECRET = "fake-client-secret-" + "c" * 20
WEBHOOK_CODE = "fakewebhookcode0"

Mood = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse | None]]


class Portal:
    """Takes one access token at a time, leaks its bucket, and does what `mood` says first."""

    def __init__(self, *, requests_per_s: float = 1000.0, burst: int = 1000) -> None:
        self.requests_per_s = requests_per_s
        self.burst = burst
        self.access_token = "fake-access-0"
        self.refresh_token = "fake-refresh-0"
        self.mood: Mood | None = None
        self.refresh_mood: Mood | None = None
        self.refresh_pause_s = 0.0
        self.calls: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.refusals = 0
        self.refreshes = 0
        self.refreshed_by: list[dict[str, str]] = []
        self._level = 0.0
        self._leaked_at = time.monotonic()
        app = web.Application()
        app.router.add_post("/rest/{method}.json", self._answer)
        app.router.add_post("/rest/1/{code}/{method}.json", self._answer)
        app.router.add_get("/oauth/token/", self._refresh)
        self.server = TestServer(app)

    async def __aenter__(self) -> Self:
        await self.server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.close()

    @property
    def root(self) -> str:
        return str(self.server.make_url("/"))

    @property
    def endpoint(self) -> str:
        return f"{self.root}rest/"

    @property
    def webhook(self) -> str:
        return f"{self.root}rest/1/{WEBHOOK_CODE}/"

    def tokens(self, **changes: Any) -> Tokens:
        """What the gateway has of this portal after an installation."""
        now = int(time.time())
        fields: dict[str, Any] = {
            "member_id": MEMBER_ID,
            "endpoint": self.endpoint,
            "user_id": 1,
            "access_token": self.access_token,
            "expires_at": now + 3600,
            "refresh_token": self.refresh_token,
            "renewed_at": now,
        }
        return Tokens(**fields | changes)

    def expire(self) -> None:
        """Let no access token that was given out be good any more."""
        self.access_token = f"fake-access-never-given-{self.refreshes}"

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        body = await request.json()
        self.calls[method] += 1
        self.bodies.append(body)
        if not self._takes_another():
            self.refusals += 1
            return error(503, "QUERY_LIMIT_EXCEEDED", "Too many requests")
        if self.mood is not None and (answer := await self.mood(request, body)) is not None:
            return answer
        code = request.match_info.get("code")
        if code is not None and code != WEBHOOK_CODE:
            return error(401, "INVALID_CREDENTIALS", "Invalid request credentials")
        if code is None and body.get("auth") != self.access_token:
            return error(401, "expired_token", "The access token provided has expired.")
        if method == "batch":
            return web.json_response({"result": self._batch(body["cmd"]), "time": {}})
        return web.json_response({"result": {"method": method}, "total": 1, "time": {}})

    def _batch(self, commands: dict[str, str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for name, command in commands.items():
            method, _, query = command.partition("?")
            asked = dict(parse_qsl(query, keep_blank_values=True))
            if asked.get("id") == "404":
                errors[name] = {"error": "", "error_description": "Not found."}
            else:
                found[name] = {"method": method, "asked": asked}
        # As PHP sends maps: an empty one is a list.
        return {
            "result": found or [],
            "result_error": errors or [],
            "result_total": [],
            "result_next": [],
            "result_time": [],
        }

    def _takes_another(self) -> bool:
        now = time.monotonic()
        self._level = max(0.0, self._level - (now - self._leaked_at) * self.requests_per_s)
        self._leaked_at = now
        if self._level + 1 > self.burst:
            return False
        self._level += 1
        return True

    async def _refresh(self, request: web.Request) -> web.StreamResponse:
        asked = dict(request.query)
        self.refreshed_by.append(asked)
        if self.refresh_mood is not None:
            refusal = await self.refresh_mood(request, {})
            if refusal is not None:
                return refusal
        if (asked["client_id"], asked["client_secret"]) != (CLIENT_ID, CLIENT_SECRET):
            return error(200, "wrong_client", "Wrong client")
        if asked["refresh_token"] != self.refresh_token:
            return error(400, "invalid_grant", "")
        # Rotated before the answer, as by a server whose answer may get lost.
        self.refreshes += 1
        self.access_token = f"fake-access-{self.refreshes}"
        self.refresh_token = f"fake-refresh-{self.refreshes}"
        answer = {
            "access_token": self.access_token,
            "client_endpoint": self.endpoint,
            "domain": "oauth.example",
            "expires": int(time.time()) + 3600,
            "expires_in": 3600,
            "member_id": MEMBER_ID,
            "refresh_token": self.refresh_token,
            "scope": "crm",
            "server_endpoint": "https://oauth.example/rest/",
            "status": "L",
            "user_id": 1,
        }
        await asyncio.sleep(self.refresh_pause_s)
        return web.json_response(answer)


def error(status: int, code: str, description: str, **more: Any) -> web.Response:
    return web.json_response(
        {"error": code, "error_description": description, **more}, status=status
    )


async def hang_up(request: web.Request, _body: dict[str, Any]) -> web.StreamResponse:
    """The mood of a server that dies before it has done anything."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def once(answer: Callable[[], web.StreamResponse]) -> Mood:
    """A mood that passes after one request."""
    left = [answer]

    async def mood(_request: web.Request, _body: dict[str, Any]) -> web.StreamResponse | None:
        return left.pop()() if left else None

    return mood


def always(answer: Callable[[], web.StreamResponse]) -> Mood:
    async def mood(_request: web.Request, _body: dict[str, Any]) -> web.StreamResponse | None:
        return answer()

    return mood
