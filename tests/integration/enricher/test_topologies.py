"""The enricher where each partition may live on another node."""

from structlog.testing import capture_logs

from consumers.testing import comment_event
from gateway.contract import EventSubject, Streams, encode_event
from gateway.redis_access import connections
from gateway.sandbox.assembly import open_sandbox
from tests.integration.enricher.conftest import Scene
from tests.support.eventually import eventually

STREAMS = Streams(partitions=4)


async def test_partitions_on_several_nodes_have_their_comments_snapshots_and_refetches(
    cluster_url: str,
) -> None:
    redis = connections.control(cluster_url)

    async def are_out(count: int) -> bool:
        return sum([await redis.xlen(key) for key in STREAMS.keys("comments")]) >= count

    async def waiting() -> int:
        return sum([await redis.zcard(STREAMS.refetch(partition)) for partition in range(4)])

    async def publish(member_id: str, comment_id: int, change: str) -> None:
        event = comment_event(comment_id, change, member_id=member_id)  # type: ignore[arg-type]
        partition = STREAMS.partition_of(member_id, EventSubject.of_comment(comment_id))
        await redis.xadd(STREAMS.key("events", partition), {"event": encode_event(event)})

    async with open_sandbox() as sandbox:
        scene = Scene(redis, cluster_url, sandbox)
        portal, hidden = await scene.portal("acme"), await scene.portal("hidden")
        hidden.faults.refusal = (403, "ACCESS_DENIED", "no")
        for one in (portal, hidden):
            for comment_id in scene.written(one, 40):
                await publish(one.member_id, comment_id, "added")
        with capture_logs() as logs:
            async with scene.enriching(scene.settings(partitions=4)):
                await eventually(lambda: are_out(80), timeout_s=30)
                assert await waiting() == 40
                hidden.faults.clear()
                await eventually(lambda: are_out(120), timeout_s=30)
                for comment_id in range(1, 41):
                    await publish("acme", comment_id, "deleted")
                await eventually(lambda: are_out(160), timeout_s=30)
    assert [line for line in logs if line["log_level"] == "error"] == []
    assert await waiting() == 0
    await redis.aclose()
