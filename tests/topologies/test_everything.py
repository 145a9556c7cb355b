"""A receiver, every kind of consumer and the commands, on every topology."""

from tests.support.stage import Stage
from tests.topologies.commands import assert_commands_work
from tests.topologies.consumers_at_work import consumers_at_work
from tests.topologies.deployments import Deployment
from tests.topologies.settling import settle, until_sent

_EVENTS = 250


async def test_everything_works(stage: Stage, deployment: Deployment) -> None:
    setting = deployment.setting
    receiver = await stage.receiver(setting)
    async with consumers_at_work(stage, deployment.url, setting) as consumers:
        async with stage.load(receiver, rate=50) as load:
            await load.until_answered_from("stream", timeout_s=20)
            await until_sent(load, _EVENTS)
        await consumers.until_settled()
        (first, *_) = [one.event_id for one in load.deliveries if one.is_accepted]
        await assert_commands_work(stage, receiver, setting, first)

        account = await settle(stage, load, consumers, deployment)

    assert account.refused == account.unanswered == 0
    assert consumers.recognised_count == 0
