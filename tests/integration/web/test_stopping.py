"""A receiver that is told to stop while a disk holds up one of its threads."""

import fcntl
from pathlib import Path

from gateway.drill.delivery_load import DeliveryLoad
from gateway.local.redis_server import RedisServer
from tests.support.eventually import eventually
from tests.support.receiver_process import Receiver


async def test_a_spool_that_its_disk_holds_up_does_not_hold_up_the_end(
    own_server: RedisServer, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    with Receiver(
        tmp_path, own_server.url, spool=spool, settings={"HTTP_GRACE_S": "1"}
    ) as receiver:
        await receiver.start()
        with (spool / "spool.turn").open("rb") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # whoever writes waits, as for a disk
            own_server.kill()
            async with DeliveryLoad([receiver.port], rate=50, senders=2) as load:
                await eventually(lambda: len(load.deliveries) == 2)

                assert await receiver.stop() == 1

        assert receiver.lines("the stop takes too long, and the process ends where it stands")
    assert not any(delivery.is_accepted for delivery in load.deliveries)
