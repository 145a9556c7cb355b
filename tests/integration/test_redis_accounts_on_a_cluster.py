"""What users of deploy/redis/users.acl need besides in a cluster, whose nodes all have them."""

from functools import partial
from pathlib import Path
from typing import Any

from consumers import CommentEvent, Consumer, Reject
from gateway.contract import Streams
from gateway.drill.delivery_load import DeliveryLoad
from gateway.local.redis_server import ServerBinary
from gateway.redis_access import connections
from tests.integration.runtime.running import comment_event, publish, running, settled
from tests.support.eventually import eventually
from tests.support.receiver_process import receiving
from tests.support.redis_cluster import redis_cluster, url_of
from tests.support.redis_users import denied, rights_of, service_rights
from tests.support.slot_moves import holder_of, move_slot, slot_of

STREAMS = Streams(partitions=4)
BESIDES = ("+cluster|slots", "+cluster|shards", "+command", "+asking")


async def test_the_documented_rights_of_a_receiver_and_a_service_suffice_on_a_cluster(
    server_binary: ServerBinary, tmp_path: Path
) -> None:
    app = Consumer(group="index", stream="events", start="beginning")

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        if event.data.comment_id == 2:
            raise Reject("never")

    async with redis_cluster(server_binary, tmp_path) as nodes:
        url = url_of(nodes)
        for node in nodes:
            async with connections.control(node.url) as client:
                one: Any = client
                for name, rights in (
                    ("receiver", rights_of("receiver")),
                    ("index", service_rights("index", "events")),
                ):
                    user = ("ACL", "SETUSER", name, "on", f">fake-{name}")
                    await one.execute_command(*user, *rights, *BESIDES)

        def as_user(name: str) -> str:
            return url.replace("redis+cluster://", f"redis+cluster://{name}:fake-{name}@")

        partitions = {"REDIS_PARTITIONS": str(STREAMS.partitions)}
        async with (
            connections.control(url) as redis,
            receiving(tmp_path, as_user("receiver"), partitions) as receiver,
        ):
            async with DeliveryLoad([receiver.port], rate=50) as load:
                await load.until_answered_from("stream", timeout_s=20)
                for key in STREAMS.keys("events"):
                    slot = await slot_of(nodes[0], key)
                    await move_slot(*await holder_of(nodes, slot), slot, open_s=1.0)
                await load.until_answered_from("stream", timeout_s=20)
            for key in STREAMS.keys("events"):
                await publish(redis, key, [comment_event(number) for number in (1, 2, 3)])
            async with running(app, as_user("index"), partitions=STREAMS.partitions):
                for key in STREAMS.keys("events"):
                    await eventually(partial(settled, redis, key, "index"), timeout_s=60)

        for node in nodes:
            async with connections.control(node.url) as client:
                assert await denied(client) == []
