"""A receiver with its console, in front of groups that have something to show."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
from redis.asyncio import Redis

from gateway.contract import EVENT_FIELD, FailedAttempt, encode_event
from gateway.contract.events import CommentEvent
from gateway.operator_record import OPERATOR_ACTED
from tests.support.receiver_process import Receiver, receiving

__all__ = [
    "DEAD",
    "EVENTS",
    "OPERATOR",
    "SAME_ORIGIN",
    "VIEWER",
    "ConsoleClient",
    "acts_of_operators",
    "as_operator",
    "dead_letter",
    "failed_attempt",
    "letters_left",
    "open_console",
]

EVENTS: Final = "b24:events:{0}"
DEAD: Final = "b24:dead:index:{0}"
VIEWER: Final = "fake-token-of-viewers"
OPERATOR: Final = "fake-token-of-operators"
_TOKENS: Final = {"CONSOLE_TOKEN": VIEWER, "CONSOLE_OPERATOR_TOKEN": OPERATOR}
SAME_ORIGIN: Final = {"Sec-Fetch-Site": "same-origin"}
"""What a browser sends with a form of the console's own pages."""


class ConsoleClient:
    """Asks the console of a receiver as a program or a browser does."""

    def __init__(self, receiver: Receiver, session: aiohttp.ClientSession, token: str) -> None:
        self.receiver = receiver
        self.url = f"http://127.0.0.1:{receiver.admin_port}/console/"
        self.session = session
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def get(self, place: str, **headers: str) -> tuple[int, str]:
        """The status and the text of an answer; `_` in names of headers is `-`."""
        async with self.session.get(f"{self.url}{place}", headers=self._all(headers)) as answer:
            return answer.status, await answer.text()

    async def post(
        self, place: str, fields: dict[str, Any] | list[tuple[str, str]], **headers: str
    ) -> tuple[int, str]:
        """The same of a form that is sent; of a change, what the page says that follows."""
        async with self.session.post(
            f"{self.url}{place}",
            data=fields,
            headers=self._all(headers),
            allow_redirects=place.startswith("act/"),
        ) as answer:
            return answer.status, await answer.text()

    async def api(self, place: str) -> Any:
        """The answer of the API, which must be fine."""
        async with self.session.get(f"{self.url}api/{place}", headers=self.headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    def _all(self, headers: dict[str, str]) -> dict[str, str]:
        return self.headers | {name.replace("_", "-"): text for name, text in headers.items()}


def as_operator(client: ConsoleClient) -> ConsoleClient:
    """The same for who may change something."""
    return ConsoleClient(client.receiver, client.session, OPERATOR)


@asynccontextmanager
async def open_console(
    directory: Path, redis_url: str, settings: dict[str, str] | None = None
) -> AsyncIterator[ConsoleClient]:
    """A console with a token for viewers and one for operators, and a client that looks."""
    given = _TOKENS | (settings or {})
    async with (
        receiving(directory, redis_url, given) as receiver,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):
        yield ConsoleClient(receiver, session, given.get("CONSOLE_TOKEN", ""))


async def dead_letter(
    redis: Redis, event: CommentEvent, *, error: str = "IndexError: no such row", **more: str
) -> str:
    """Store a dead letter of the group `index`; its address."""
    fields: Any = {
        "event": encode_event(event),
        "group": "index",
        "stream": "events",
        "entry_id": "1-1",
        "attempts": "5",
        "reason": "failed",
        "error": error,
        "failed_at": "2026-11-28T09:00:00.000Z",
    }
    entry: Any = await redis.xadd(DEAD, fields | more)
    return f"0/{entry.decode()}"


async def acts_of_operators(redis: Redis, partition: int = 0) -> list[dict[str, Any]]:
    """What is told of operators on a partition of the stream, oldest first."""
    entries: Any = await redis.xrange(f"b24:events:{{{partition}}}")
    events = [msgspec.json.decode(fields[EVENT_FIELD]) for _, fields in entries]
    return [event["data"] for event in events if event["type"] == OPERATOR_ACTED]


async def letters_left(redis: Redis, partition: int) -> list[Any]:
    """The dead letters of a partition."""
    found: Any = await redis.xrange(f"b24:dead:index:{{{partition}}}")
    return list(found)


async def failed_attempt(redis: Redis, entry_id: str, event: CommentEvent) -> None:
    """Note that an attempt of the group `index` with an entry has failed."""
    attempt = FailedAttempt(
        at="2026-11-28T09:00:00.000Z",
        attempts=3,
        error="ConnectError: search.example.com does not answer",
        event_id=event.id,
        portal=event.data.member_id,
        subject=event.subject,
        handler="index_comment",
    )
    field = FailedAttempt.field("events", entry_id)
    await redis.hset("b24:failures:index:{0}", field, attempt.encode())
