"""The account of a test on a topology: of the streams, and of every consumer behind them."""

from msgspec.structs import replace

from gateway.drill.delivery_load import DeliveryLoad
from tests.support.eventually import eventually
from tests.support.stage import ProbedAccount, Stage
from tests.topologies.consumers_at_work import ConsumersAtWork
from tests.topologies.deployments import Deployment

__all__ = ["settle", "until_sent"]


async def settle(
    stage: Stage,
    load: DeliveryLoad,
    consumers: ConsumersAtWork,
    deployment: Deployment,
    *,
    has_lost_entries: bool = False,
) -> ProbedAccount:
    """Wait until all is handled, stop everything, and draw up the account.

    What is lost, doubled and out of order is summed up over the streams and all consumers; asserts
    that it is nothing, besides what `Stage.settle` asserts. Where a primary went with entries that
    no replica had, consumers may have had them, and what is made of them again comes later than
    what was made of others: on the way from the enricher, the order is counted only.
    """
    await stage.until_drained()
    await consumers.until_settled()
    await stage.settle(load.deliveries, deployment.url)
    await consumers.stop()
    effects = await consumers.effects()
    account = stage.account
    assert account is not None
    stage.account = account = replace(
        account,
        lost=account.lost + sum(one.lost for one in effects.values()),
        duplicated=account.duplicated + sum(one.doubled for one in effects.values()),
        out_of_order=account.out_of_order + sum(one.out_of_order for one in effects.values()),
    )
    strict = {"handler", "audit log"} if has_lost_entries else effects.keys()
    assert account.lost == account.duplicated == 0, effects
    assert not any(effects[place].out_of_order for place in strict), effects
    return account


async def until_sent(load: DeliveryLoad, count: int) -> None:
    """Wait until so many more requests are under way or answered."""
    enough = len(load.deliveries) + count
    await eventually(lambda: len(load.deliveries) >= enough, timeout_s=60)
