"""A clock to turn, and a chain that is signed."""

import pytest

from consumers.audit.chain_options import ChainOptions
from tests.support.audit_log import (
    Clock,
    a_key,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def options(clock: Clock) -> ChainOptions:
    return ChainOptions(signer=a_key(), checkpoint_every=8, clock=clock)
