"""The notifier as the process that operators run, and events for it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from types import MappingProxyType

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gateway.contract import (
    COMMENT_UPDATED,
    EVENT_FIELD,
    CommentData,
    CommentEvent,
    encode_event,
    source_of,
)
from tests.support.consumer_process import ConsumerProcess, configured_consumer

MEMBER = "0123456789abcdef0123456789abcdef"
EVENTS = "b24:comments:{0}"
_numbers = count(1)


def comment_event(
    comment_id: int, event_type: str = COMMENT_UPDATED, *, user_id: int | None = 7
) -> CommentEvent:
    """An event with an id of its own."""
    return CommentEvent(
        id=f"01936b2e-0000-7000-8000-{next(_numbers):012d}",
        source=source_of(MEMBER),
        type=event_type,  # type: ignore[arg-type]  # tests give one of the three
        subject=f"comment/{comment_id}",
        time="2025-12-18T08:18:53Z",
        receivedat="2025-12-18T08:18:53.412Z",
        data=CommentData(
            comment_id=comment_id, member_id=MEMBER, domain="acme.bitrix24.com", user_id=user_id
        ),
    )


async def publish(redis: Redis, *events: CommentEvent) -> None:
    """Put events on the stream as the gateway does."""
    async with redis.pipeline(transaction=False) as pipe:
        for event in events:
            pipe.xadd(EVENTS, {EVENT_FIELD: encode_event(event)})
        await pipe.execute()


async def is_reading(redis: Redis) -> bool:
    """Whether the notifier's group is there: from then on it sees every event."""
    try:
        return bool(await redis.xinfo_groups(EVENTS))
    except ResponseError:
        return False


def notifier_process(
    redis_url: str,
    notifier: str,
    directory: Path,
    *,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> AbstractContextManager[ConsumerProcess]:
    """`consumers run notifier` with the settings `[notifier]`; stopped at the end, if it runs."""
    settings = f'[redis]\nurl = "{redis_url}"\n[notifier]\n{notifier}'
    return configured_consumer("notifier", settings, directory, environment=environment)
