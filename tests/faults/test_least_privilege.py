"""Faults under the users of deploy/redis/users.acl: to recover needs no right besides."""

from collections import Counter

import pytest

from gateway.contract import EventSubject, Streams
from gateway.redis_access import connections
from gateway.sandbox.portal import SANDBOX
from tests.support.consumer_process import SERVICE, Worker
from tests.support.eventually import eventually
from tests.support.redis_users import acl_file_in, denied, line_of_service, url_of
from tests.support.stage import Stage

GROUP = "search-index"
STREAMS = Streams(partitions=2)


def partitions_of(worker: Worker, *, since: int) -> int:
    """On how many partitions this process has had effects since the effect of that number."""
    return len(
        {
            STREAMS.partition_of(SANDBOX.member_id, EventSubject.of_comment(int(comment_id)))
            for _id, comment_id, _entry, _epoch, pid in worker.effects()[since:]
            if int(pid) == worker.pid
        }
    )


@pytest.mark.short
async def test_redis_restarts_and_a_partition_is_taken_over_under_their_own_users(
    stage: Stage,
) -> None:
    """The receiver spools and drains; a consumer dies, and another one takes its partition over."""
    file = acl_file_in(stage.directory, line_of_service(GROUP, "events"))
    server = stage.server("redis", "--aclfile", str(file))
    receiver = await stage.receiver(url_of(server.url, "receiver"))
    workers = [
        stage.worker(SERVICE, url_of(server.url, GROUP), {"SERVICE_TAKES_S": "0.002"})
        for _ in range(2)
    ]
    refused: list[str] = []
    async with stage.load(receiver, rate=100) as load, connections.control(server.url) as redis:
        await load.until_answered_from("stream", timeout_s=20)
        await eventually(lambda: len(workers[0].effects()) > 50, timeout_s=60)
        refused += await denied(redis)  # a restart forgets it
        server.kill()
        await stage.until_spooled(20)
        server.start()
        await load.until_answered_from("stream", timeout_s=60)
        workers[0].kill()
        alone = len(workers[1].effects())
        await eventually(lambda: partitions_of(workers[1], since=alone) == 2, timeout_s=60)
        workers[0].launch()

    async with connections.control(server.url) as redis:
        await stage.until_consumed(server.url, GROUP)
        refused += await denied(redis)
    account = await stage.settle(load.deliveries, server)

    handled = Counter(effect[0] for effect in workers[1].effects())
    assert len(handled) == account.stored
    assert account.spooled > 0
    assert account.refused == account.unanswered == 0
    assert refused == []
    assert not [log for log in (receiver.log, *(one.log for one in workers)) if "NOPERM" in log]
