from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway.sandbox.assembly import Sandbox, open_sandbox
from gateway.sandbox.live_portal import LivePortal
from tests.integration.missed_events.reconciler import Reconciler
from tests.integration.missed_events.scene import Scene, a_scene

Reconcilers = Callable[..., Reconciler]


@pytest.fixture
def reconcilers(redis_url: str, tmp_path: Path) -> Iterator[Reconcilers]:
    """Starts processes of `gateway reconcile`, and ends those that are left."""
    programs = ExitStack()

    def start(*, arguments: tuple[str, ...] = ("reconcile",), **settings: str) -> Reconciler:
        one = Reconciler(
            tmp_path,
            {"REDIS_URL": redis_url, "RECONCILE_LEASE_S": "2", **settings},
            arguments=arguments,
        )
        programs.enter_context(one)
        one.launch()
        return one

    with programs:
        yield start


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox() as one:
        yield one


@pytest.fixture
async def scene(
    sandbox: Sandbox, redis: Redis, redis_url: str, tmp_path: Path
) -> AsyncIterator[Scene]:
    async with a_scene(sandbox, redis, redis_url, tmp_path) as one:
        yield one


@pytest.fixture
async def portal(sandbox: Sandbox, scene: Scene) -> LivePortal:
    """A portal with a queue of offline events, whose deliveries nobody takes yet."""
    one = await scene.add_portal()
    await scene.install(one)
    return one
