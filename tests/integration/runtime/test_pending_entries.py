"""What is pending and in nobody's hands, while acknowledgements are on their way."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from consumers.runtime.entry import Source
from consumers.runtime.in_flight import InFlight
from consumers.runtime.pending_entries import OWNER, Fields, resume, take_suspects
from tests.integration.runtime.index_group import KEY
from tests.integration.runtime.running import comment_event, publish

GROUP = "index"
SOURCE = Source("events", KEY, is_redelivery=False)


class Hands:
    """Whoever takes entries in hand; `taken` are their ids."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    async def room(self) -> int:
        return 100

    async def take(
        self,
        source: Source,
        page: Sequence[tuple[bytes, Fields]],
        deliveries: Mapping[bytes, int],
    ) -> None:
        self.taken += [entry_id for entry_id, _ in page]

    async def take_alone(
        self, source: Source, entry_id: bytes, fields: Fields, deliveries: int
    ) -> None:
        self.taken.append(entry_id)

    async def condemn(
        self, source: Source, entry_id: bytes, fields: Fields, deliveries: int
    ) -> None:
        self.taken.append(entry_id)

    def take_back(
        self, source: Source, entry_id: bytes, fields: Fields, deliveries: int
    ) -> None: ...

    def pass_over(self, source: Source, entry_id: bytes) -> None: ...


class LateReply:
    """A client to whom something happens between what the server says of pending entries and it."""

    def __init__(self, redis: Redis, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self._redis = redis
        self._meanwhile = meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._redis, name)

    async def xpending_range(self, *arguments: Any) -> Any:
        reply = await self._redis.xpending_range(*arguments)
        await self._meanwhile()
        return reply


@pytest.mark.parametrize("deliveries", [1, 4, 5])
@pytest.mark.parametrize("looks_for", ["suspects", "all"])
async def test_what_is_acknowledged_meanwhile_has_not_lost_its_payload(
    redis: Redis, deliveries: int, looks_for: str
) -> None:
    await publish(redis, KEY, [comment_event(1), comment_event(2)])
    await redis.xgroup_create(KEY, GROUP, "0")
    reply: Any = await redis.xreadgroup(GROUP, OWNER, {KEY: ">"})
    in_hand, stranded = [entry_id for entry_id, _ in reply[KEY.encode()]]
    await redis.xclaim(KEY, GROUP, OWNER, 0, [in_hand], retrycount=deliveries, justid=True)
    in_flight, hands = InFlight(100, max_bytes=1 << 20), Hands()
    in_flight.add(SOURCE, in_hand, None)

    async def acknowledge() -> None:
        await redis.xack(KEY, GROUP, in_hand)
        in_flight.settle(SOURCE, [in_hand])

    client: Any = LateReply(redis, acknowledge)
    if looks_for == "all":
        await resume(client, SOURCE, GROUP, in_flight, hands)
    else:
        await take_suspects(
            client, SOURCE, GROUP, in_flight, hands, waits=lambda _: False, buries_crashed=True
        )

    assert hands.taken == ([stranded] if looks_for == "all" else [])
