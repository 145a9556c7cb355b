"""Two neighbouring releases work on the same data, one after the other and side by side."""

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.drill.delivery_load import DeliveryLoad
from gateway.local.redis_server import RedisServer
from gateway.sandbox.portal import SANDBOX
from tests.integration.operating.installation import posted
from tests.integration.upgrade.release import SERVICE, Machine, unpacked_release
from tests.support.eventually import eventually
from tests.support.spooled import until_drained

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release before this one."""
    found = unpacked_release(tmp_path_factory.mktemp("release"))
    if found is None:
        pytest.skip("the history of this repository is not here")
    return found


async def test_an_upgrade_takes_over_what_is_in_place(
    before: Path, own_server: RedisServer, tmp_path: Path
) -> None:
    here = Machine(tmp_path / "here", own_server.url)
    async with here.receiving(before) as receiver:
        with here.consuming(before, "audit"), here.consuming(before, SERVICE):
            early = [await posted(receiver, SANDBOX, number) for number in range(1, 11)]
            await eventually(lambda: len(here.handled()) == len(early))
            await eventually(lambda: _is_recorded(here, early))
        unread = [await posted(receiver, SANDBOX, number) for number in range(1, 6)]
        own_server.stop()
        waiting = [await posted(receiver, SANDBOX, number) for number in range(1, 6)]
    own_server.start()

    async with here.receiving(None) as receiver:
        await until_drained(here.spool)
        late = [await posted(receiver, SANDBOX, number) for number in range(1, 6)]
        with here.consuming(None, "audit"), here.consuming(None, SERVICE):
            await eventually(lambda: len(here.handled()) == 25)
            await eventually(lambda: _is_recorded(here, late))

    assert here.handled() == Counter(early + unread + waiting + late)
    assert await here.recorded() == Counter(early + unread + waiting + late)
    assert await here.verified() == f"{here.audit}: whole"
    assert _of_subject(here, "comment/1") == [one[0] for one in (early, unread, waiting, late)]


@pytest.mark.parametrize("is_receiver_first", [True, False], ids=["receiver", "consumers"])
async def test_whichever_is_upgraded_first_all_goes_on(
    before: Path, own_server: RedisServer, tmp_path: Path, *, is_receiver_first: bool
) -> None:
    receivers, consumers = (None, before) if is_receiver_first else (before, None)
    here = Machine(tmp_path / "here", own_server.url)
    async with here.receiving(receivers) as receiver:
        with here.consuming(consumers, "audit"), here.consuming(consumers, SERVICE):
            posts = [await posted(receiver, SANDBOX, number) for number in range(1, 21)]
            await eventually(lambda: len(here.handled()) == len(posts))
            await eventually(lambda: _is_recorded(here, posts))

    assert here.handled() == Counter(posts)
    assert await here.recorded() == Counter(posts)
    assert await here.verified() == f"{here.audit}: whole"


async def test_consumers_are_replaced_forth_and_back_under_load(
    before: Path, own_server: RedisServer, tmp_path: Path
) -> None:
    """Each successor stands by, and takes over when its predecessor has stopped."""
    here = Machine(tmp_path / "here", own_server.url)

    async def go_on() -> None:
        seen = len(here.handled())
        await eventually(lambda: len(here.handled()) > seen + 50)

    async with here.receiving(before) as receiver:
        with ExitStack() as first, ExitStack() as second, ExitStack() as third:
            async with DeliveryLoad([receiver.port], rate=100) as load:
                first.enter_context(here.consuming(before, SERVICE))
                await go_on()
                second.enter_context(here.consuming(None, SERVICE))
                first.close()
                await go_on()
                third.enter_context(here.consuming(before, SERVICE))
                second.close()
                await go_on()
            await eventually(lambda: len(here.handled()) == len(load.deliveries))

    assert here.handled() == Counter(one.event_id for one in load.deliveries)


async def test_the_way_back_loses_nothing_of_what_waits_in_the_spool(
    before: Path, own_server: RedisServer, tmp_path: Path
) -> None:
    here = Machine(tmp_path / "here", own_server.url)
    own_server.stop()
    async with here.receiving(None) as receiver:
        waiting = [await posted(receiver, SANDBOX, number) for number in range(1, 6)]
    own_server.start()
    async with here.receiving(before) as receiver:
        await until_drained(here.spool)
        late = [await posted(receiver, SANDBOX, number) for number in range(1, 6)]
        with here.consuming(before, "audit"), here.consuming(before, SERVICE):
            await eventually(lambda: len(here.handled()) == len(waiting + late))
            await eventually(lambda: _is_recorded(here, late))

    assert here.handled() == Counter(waiting + late)
    assert await here.verified() == f"{here.audit}: whole"


async def _is_recorded(here: Machine, some: list[str]) -> bool:
    return set(some) <= set(await here.recorded())


def _of_subject(here: Machine, subject: str) -> list[str]:
    return [event_id for event_id, about in here.effects() if about == subject]
