"""The way out of a partition, with a server that the test plays."""

import asyncio
from collections.abc import Sequence

import pytest
from redis.exceptions import ClusterError, ResponseError
from structlog.testing import capture_logs

from consumers.runtime.gate import Gate
from consumers.runtime.outages import Outages
from consumers.runtime.outlet import Outlet
from tests.support.eventually import eventually


class Server:
    """Takes numbers, after it has raised what it was told to."""

    def __init__(self, *errors: Exception, is_ours: bool = True) -> None:
        self.errors = list(errors)
        self.is_ours = is_ours
        self.calls: list[list[int]] = []

    async def send(self, some: Sequence[int]) -> bool:
        if self.errors:
            raise self.errors.pop(0)
        self.calls.append(list(some))
        return self.is_ours


def outlet(server: Server, gate: Gate, *, most: int = 3) -> Outlet[int]:
    return Outlet(server.send, most=most, gate=gate, outage=Outages().of("sending failed"))


async def test_what_was_given_is_sent_in_order_and_in_parts() -> None:
    server = Server()
    one = outlet(server, Gate(limit=1))
    one.put(range(7))

    assert await one.close(5) == 0
    assert server.calls == [[0, 1, 2], [3, 4, 5], [6]]


async def test_what_fails_is_sent_again_and_told_once() -> None:
    server = Server(*[ClusterError("TTL exhausted.")] * 3, ResponseError("OOM"))
    gate = Gate(limit=1)
    with capture_logs() as lines:
        one = outlet(server, gate)
        one.put([1, 2])
        await eventually(lambda: bool(server.calls))
        assert await one.close(5) == 0

    assert server.calls == [[1, 2]]
    assert [line["event"] for line in lines] == [
        *("sending failed", "sending failed"),  # away, then refused
        "Redis is back",
    ]
    assert not gate.is_closed


async def test_what_cannot_be_sent_in_time_is_left() -> None:
    one = outlet(Server(*[ClusterError()] * 1000), Gate(limit=1))
    one.put([1, 2])

    assert await one.close(0.01) == 2
    one.check()


async def test_a_partition_of_another_process_closes_the_gate() -> None:
    gate = Gate(limit=1)
    one = outlet(Server(is_ours=False), gate)
    one.put([1])

    await gate.closed(5)
    assert gate.is_closed
    one.check()


async def test_an_error_that_nobody_foresaw_closes_the_gate_and_is_raised() -> None:
    gate = Gate(limit=1)
    one = outlet(Server(ZeroDivisionError()), gate)
    one.put([1])

    await asyncio.wait_for(gate.closed(), 5)
    assert await one.close(5) == 1
    with pytest.raises(ZeroDivisionError):
        one.check()
