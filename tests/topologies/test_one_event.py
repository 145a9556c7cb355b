"""One event on its way through a topology: what `make test` tries of them."""

import pytest

from tests.support.consumer_process import SERVICE
from tests.support.eventually import eventually
from tests.support.stage import Stage
from tests.topologies.deployments import Deployment


@pytest.mark.short
@pytest.mark.on("client's certificate", "Sentinels, TLS", "cluster, TLS", "cluster")
async def test_an_event_goes_through(stage: Stage, deployment: Deployment) -> None:
    receiver = await stage.receiver(deployment.setting)
    service = stage.worker(SERVICE, deployment.setting, {})
    async with stage.load(receiver, rate=10) as load:
        await load.until_answered_from("stream", timeout_s=20)

    accepted = {one.event_id for one in load.deliveries if one.is_accepted}
    await eventually(lambda: {effect[0] for effect in service.effects()} == accepted)
