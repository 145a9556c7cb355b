"""The directory, the lock and the port of the embedded server."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import OperatorError
from gateway.local import embedded
from gateway.local.embedded import embedded_redis
from gateway.local.ports import is_taken


def test_two_servers_never_share_a_directory(tmp_path: Path) -> None:
    with (
        embedded_redis(tmp_path),
        pytest.raises(OperatorError, match="another `gateway up` uses"),
        embedded_redis(tmp_path, wait_s=0),
    ):
        pass

    with embedded_redis(tmp_path, wait_s=0):
        pass


def test_the_lock_is_held_as_long_as_the_server_lives(tmp_path: Path) -> None:
    with embedded_redis(tmp_path) as redis:
        # Stands for the server: it inherits what the server inherits.
        heir = subprocess.Popen(
            [sys.executable, "-c", "input()"],
            stdin=subprocess.PIPE,
            pass_fds=redis.child.pass_fds,
        )
    with pytest.raises(OperatorError), embedded_redis(tmp_path, wait_s=0):
        pass

    heir.communicate(b"\n")

    with embedded_redis(tmp_path, wait_s=0):
        pass


def test_it_moves_to_another_port_when_its_own_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setattr(embedded, "PORT", port)
        assert is_taken("127.0.0.1", port)
        with embedded_redis(tmp_path) as redis:
            assert redis.url != f"redis://127.0.0.1:{port}/0"
    assert not is_taken("127.0.0.1", port)
    with embedded_redis(tmp_path) as redis:
        assert redis.url == f"redis://127.0.0.1:{port}/0"
