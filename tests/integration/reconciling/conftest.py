from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.reconciling.reconciler import Reconciler

Reconcilers = Callable[..., Reconciler]


@pytest.fixture
def reconcilers(redis_url: str, tmp_path: Path) -> Iterator[Reconcilers]:
    """Starts processes of `gateway reconcile`, and ends those that are left."""
    started: list[Reconciler] = []

    def start(*, arguments: tuple[str, ...] = ("reconcile",), **settings: str) -> Reconciler:
        one = Reconciler(
            tmp_path,
            {"REDIS_URL": redis_url, "RECONCILE_LEASE_S": "2", **settings},
            arguments=arguments,
        )
        started.append(one)
        one.start()
        return one

    yield start
    for one in started:
        one.kill()
