"""The directory, the lock and the port of the embedded server."""

import socket
import sys
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from gateway.errors import OperatorError
from gateway.local import embedded
from gateway.local.embedded import EmbeddedRedis, embedded_redis
from gateway.local.ports import is_taken
from tests.support.program import piped


def held(
    directory: Path, waited: list[bool] | None = None
) -> AbstractContextManager[EmbeddedRedis]:
    waited = [] if waited is None else waited
    return embedded_redis(directory, waiting=lambda: waited.append(True), wait_s=0)


def test_two_servers_never_share_a_directory(tmp_path: Path) -> None:
    waited: list[bool] = []
    with (
        held(tmp_path, waited),
        pytest.raises(OperatorError, match="another `gateway up` uses"),
        held(tmp_path, waited),
    ):
        pass

    assert waited == [True]
    with held(tmp_path, waited):
        assert waited == [True]


def test_the_lock_is_held_as_long_as_the_server_lives(tmp_path: Path) -> None:
    with ExitStack() as stack:
        with held(tmp_path) as redis:
            # Stands for the server: it inherits what the server inherits.
            waits = [sys.executable, "-c", "input()"]
            stack.enter_context(piped(waits, pass_fds=redis.child.pass_fds))
        with pytest.raises(OperatorError), held(tmp_path):
            pass

    with held(tmp_path):
        pass


def test_it_moves_to_another_port_when_its_own_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setattr(embedded, "PORT", port)
        assert is_taken("127.0.0.1", port)
        with held(tmp_path) as redis:
            assert redis.url != f"redis://127.0.0.1:{port}/0"
    assert not is_taken("127.0.0.1", port)
    with held(tmp_path) as redis:
        assert redis.url == f"redis://127.0.0.1:{port}/0"
