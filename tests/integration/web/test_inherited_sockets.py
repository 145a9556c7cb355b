"""A receiver whose socket belongs to systemd: while it is restarted, nobody is refused."""

import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from redis.asyncio import Redis

from gateway.contract import Streams
from gateway.drill.delivery_load import DeliveryLoad
from gateway.local.redis_server import free_port
from gateway.web.inherited_sockets import inherited_sockets
from tests.support.connections import is_listening
from tests.support.eventually import eventually
from tests.support.program import Program
from tests.support.receiver_process import variables_of

pytestmark = pytest.mark.timeout(300)  # processes that start again and again

# As systemd does it: the descriptor is 3, and the variables name the process.
ACTIVATED: Final = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "deliveries"}
os.execv(sys.executable, [sys.executable, "-m", "gateway", "serve"])
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as one:
        yield one


def activated(listener: socket.socket, environment: dict[str, str], log: Path) -> Program:
    """A receiver, or what becomes none, that is given this socket as systemd would."""
    descriptor = listener.fileno()
    return Program(
        (sys.executable, "-c", ACTIVATED, str(descriptor)),
        log_file=log,
        environment=environment,
        pass_fds=(descriptor,),
    )


@pytest.mark.parametrize("workers", [1, 2])
async def test_nobody_is_refused_while_it_is_restarted(
    redis: Redis, redis_url: str, tmp_path: Path, listener: socket.socket, workers: int
) -> None:
    port = int(listener.getsockname()[1])
    # The port of the settings is somebody else's, and left alone.
    environment = variables_of(redis_url, tmp_path / "spool", (port, free_port()))
    environment["GATEWAY_HTTP_WORKERS"] = str(workers)
    codes = []
    with activated(listener, environment, tmp_path / "receiver.log") as receiver:
        receiver.launch()
        async with DeliveryLoad([port], rate=60, answer_s=90) as load:
            for _ in range(2):
                await load.until_answered_from("stream", timeout_s=90)
                codes.append(await receiver.stop())
                receiver.launch()
            await load.until_answered_from("stream", timeout_s=90)
        codes.append(await receiver.stop())

    assert codes == [0, 0, 0], receiver.log
    assert load.refused_connections == 0
    assert [one for one in load.deliveries if not one.is_accepted] == []
    assert await redis.xlen(Streams().keys("events")[0]) == len(load.deliveries)


async def test_systemd_hands_its_socket_over(redis_url: str, tmp_path: Path) -> None:
    """By its own program for trying that, which begins the receiver with the first connection."""
    program = shutil.which("systemd-socket-activate")
    if program is None:
        pytest.skip("systemd is not installed on this machine")
    port = free_port()
    environment = variables_of(redis_url, tmp_path / "spool", (port, free_port()))
    inherited = [part for name in environment for part in ("--setenv", name)]
    argv = (program, "--listen", f"127.0.0.1:{port}", *inherited, sys.executable)
    with Program(
        (*argv, "-m", "gateway", "serve"), log_file=tmp_path / "log", environment=environment
    ) as activating:
        activating.launch()
        await eventually(lambda: is_listening(port))
        async with DeliveryLoad([port], rate=20, senders=2) as load:
            await load.until_answered_from("stream", timeout_s=90)
        assert await activating.stop() == 0


def test_what_is_meant_for_another_process_is_left_alone(listener: socket.socket) -> None:
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "HOME": "/"}

    assert inherited_sockets(environ) == []
    assert environ == {"HOME": "/"}


async def test_a_descriptor_that_does_not_listen_is_refused(tmp_path: Path) -> None:
    with socket.socket() as mute, activated(mute, {}, tmp_path / "log") as receiver:
        receiver.launch()

        assert await receiver.ended() == 2
    assert (
        "gateway: descriptor 3, which LISTEN_FDS announces, is no listening socket" in receiver.log
    )
