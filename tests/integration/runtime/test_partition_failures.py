"""A partition that ends since Redis was away, where nobody waited for that, begins anew."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NotConnected
from structlog.testing import capture_logs

from consumers import CommentEvent, Consumer, Partition
from tests.integration.runtime.running import comment_event, publish, running
from tests.support.eventually import eventually


async def test_a_failure_of_redis_that_nobody_waited_for_costs_no_process(
    redis: Redis, redis_url: str
) -> None:
    begun: list[int] = []
    seen: set[str] = set()

    @asynccontextmanager
    async def opened(partition: Partition) -> AsyncIterator[None]:
        begun.append(partition.epoch)
        if len(begun) <= 2:
            raise NotConnected("a node of the service's own")
        yield

    app = Consumer(group="index", stream="events", partition_lifespan=opened)

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        seen.add(event.id)

    event = comment_event(1)
    await publish(redis, "b24:events:{0}", [event])
    with capture_logs() as lines:
        async with running(app, redis_url) as task:
            await eventually(lambda: event.id in seen)
            assert not task.done()

    assert len(begun) == 3
    told = [line for line in lines if line["event"] == "partition ended, and begins anew"]
    assert [(line["group"], line["partition"]) for line in told] == 2 * [("index", 0)]
