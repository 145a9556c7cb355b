"""Whatever is sent, a receiver with the lane answers and stores as one without it."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from gateway.local.redis_server import RedisServer
from tests.integration.web.fast_lane.requests import BODIES, DEAL, SHAPES, USUAL, usual
from tests.integration.web.fast_lane.twins import Twin, twin

_TRIES = 5


class Twins:
    """Both of them, and the loop that they are in."""

    def __init__(self, runner: asyncio.Runner, fast: Twin, slow: Twin) -> None:
        self._runner = runner
        self._fast = fast
        self._slow = slow

    def agree_on(self, requests: Sequence[Sequence[bytes]]) -> None:
        """Both are sent the same on one connection, and answer and store the same."""
        self._runner.run(self._agree_on(requests))

    async def _agree_on(self, requests: Sequence[Sequence[bytes]]) -> None:
        for _ in range(_TRIES):
            (fast, fast_reset), (slow, slow_reset) = await asyncio.gather(
                self._fast.exchange(requests), self._slow.exchange(requests)
            )
            assert await self._fast.events() == await self._slow.events()
            if not (fast_reset or slow_reset) or fast == slow:
                break
        assert fast == slow


@pytest.fixture(scope="module")
def twins(shared_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    with asyncio.Runner() as runner:
        opened = AsyncExitStack()

        async def begin() -> Twins:
            async def one(path: Path, *, fast: bool) -> Twin:
                return await opened.enter_async_context(twin(shared_server.url, path, fast=fast))

            fast = await one(tmp_path_factory.mktemp("fast"), fast=True)
            slow = await one(tmp_path_factory.mktemp("slow"), fast=False)
            for one_of_both in (fast, slow):
                await one_of_both.events()  # other tests' are in the way
            return Twins(runner, fast, slow)

        yield runner.run(begin())
        runner.run(opened.aclose())


def taken() -> float:
    return REGISTRY.get_sample_value("b24gw_fast_lane_events_total") or 0.0


def test_a_usual_delivery_takes_the_lane_from_the_second_on(twins: Twins) -> None:
    before = taken()
    twins.agree_on([[usual()]] * 5)
    assert taken() == before + 4

    twins.agree_on([[usual(USUAL.replace(b"=999", b"=12345"))]] * 3)

    assert taken() == before + 7, "another length is no other head"


def test_so_does_an_event_of_an_entity(twins: Twins) -> None:
    twins.agree_on([[usual()]] * 2)
    before = taken()

    twins.agree_on([[usual(DEAL)]] * 5)

    assert taken() == before + 5


@pytest.mark.parametrize("shape", SHAPES)
def test_a_request_of_any_shape_is_answered_alike(twins: Twins, shape: str) -> None:
    one = SHAPES[shape](USUAL)
    twins.agree_on([[usual()], [one], [usual()], [one], [usual()]])


@pytest.mark.parametrize("number", range(len(BODIES)))
def test_any_body_is_answered_alike(twins: Twins, number: int) -> None:
    one = usual(BODIES[number])
    twins.agree_on([[usual()], [one], [usual()], [one], [usual()]])


@pytest.mark.parametrize("cut", [1, 20, 200, 232, 233, 234, 500, -1])
def test_a_request_in_two_reads_is_answered_alike(twins: Twins, cut: int) -> None:
    one = usual()
    twins.agree_on([[usual()], [one[:cut], one[cut:]], [usual()], [one + one[:cut], one[cut:]]])


@pytest.mark.parametrize(
    "beginning",
    [
        b"POST /bitrix24/events HTTP/1.1\r\nHost: x\r\nX-Rest: ",
        b"POST /bitrix24/events HTTP/1.1\r\nHost: x\r\n",
        usual(usual()).removesuffix(usual()),
    ],
    ids=["in a header", "between headers", "in a body"],
)
def test_what_looks_like_a_request_inside_of_another_is_none(
    twins: Twins, beginning: bytes
) -> None:
    twins.agree_on([[usual()], [beginning, usual()], [usual()]])


def test_a_body_that_never_comes_is_answered_alike(twins: Twins) -> None:
    twins.agree_on([[usual()], [usual()[:-5]], [usual()]])


_REQUEST = st.builds(
    lambda shape, body: SHAPES[shape](body),
    st.sampled_from(sorted(SHAPES)),
    st.sampled_from(BODIES),
)
_PIECES = st.one_of(
    st.builds(lambda request: [request], _REQUEST),
    st.builds(lambda request: [request], _REQUEST),
    st.builds(lambda request, at: [request[:at], request[at:]], _REQUEST, st.integers(0, 900)),
    st.builds(
        lambda request, at, byte: [request[:at] + byte + request[at + 1 :]],
        _REQUEST,
        st.integers(0, 900),
        st.binary(max_size=2),
    ),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_PIECES, min_size=1, max_size=4))
def test_whatever_is_sent_is_answered_alike(twins: Twins, requests: list[list[bytes]]) -> None:
    twins.agree_on([[usual()], *requests, [usual()]])
