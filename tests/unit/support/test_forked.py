"""A command that is forked for a test is in nothing another one than if it were executed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.support.eventually import eventually_blocking
from tests.support.forked import Forked, can_be_forked
from tests.support.program import surroundings
from tests.support.starting import finished_blocking

GATEWAY = (sys.executable, "-m", "gateway")


@contextmanager
def forked(directory: Path, *arguments: str, **environment: str) -> Iterator[Forked]:
    """A process of the fork server, whose output is the file `output` in its directory."""
    with (directory / "output").open("wb") as output, Path(os.devnull).open("rb") as nothing:
        process = Forked(
            (sys.executable, "-m", *arguments),
            directory=directory,
            environment=surroundings() | environment,
            descriptors=(nothing.fileno(), output.fileno(), output.fileno()),
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("is_executed", [True, False], ids=["executed", "forked"])
def test_a_command_has_the_environment_and_the_directory_that_it_is_given(
    tmp_path: Path, *, is_executed: bool
) -> None:
    (tmp_path / "gateway.toml").write_text("[http]\nport = 8123\n")

    done = finished_blocking(
        (*GATEWAY, "config"),
        directory=tmp_path,
        environment=surroundings() | {"GATEWAY_ADMIN_PORT": "8124"},
        is_executed=is_executed,
    )

    assert done.returncode == 0, done.stderr
    assert "port = 8123" in done.stdout
    assert "port = 8124" in done.stdout


@pytest.mark.parametrize("is_executed", [True, False], ids=["executed", "forked"])
def test_a_command_tells_its_mistake_and_ends_with_its_exit_code(
    tmp_path: Path, *, is_executed: bool
) -> None:
    done = finished_blocking(
        (*GATEWAY, "config"),
        directory=tmp_path,
        environment=surroundings() | {"GATEWAY_HTTP_PORT": "no-number"},
        is_executed=is_executed,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("gateway: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("way", ["return", "raise", "0", "3", "a text"])
def test_a_forked_process_does_at_its_end_what_an_executed_one_does(
    tmp_path: Path, way: str
) -> None:
    module = "tests.unit.support.last_words"
    executed = subprocess.run(
        (sys.executable, "-m", module, way),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        env=surroundings(),
    )

    with forked(tmp_path, module, way) as process:
        assert process.wait(20) == executed.returncode
    said, expected = (tmp_path / "output").read_text(), executed.stdout.decode()
    assert said.endswith("from a thread\nat exit")
    assert said.splitlines()[-3:] == expected.splitlines()[-3:]


def test_a_forked_process_is_killed_frozen_and_waited_for_as_others_are(tmp_path: Path) -> None:
    with forked(tmp_path, "http.server", "--bind", "127.0.0.1", "0") as process:
        seen = psutil.Process(process.pid)
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.send_signal(signal.SIGSTOP)
        eventually_blocking(lambda: seen.status() == psutil.STATUS_STOPPED)
        process.kill()

        assert process.wait() == -signal.SIGKILL
        assert not psutil.pid_exists(process.pid)
        assert process.poll() == -signal.SIGKILL
        process.send_signal(signal.SIGTERM)  # nobody gets it


def test_a_forked_process_has_nothing_open_of_those_before_it(tmp_path: Path) -> None:
    with (
        forked(tmp_path, "http.server", "--bind", "127.0.0.1", "0"),
        forked(tmp_path, "http.server", "--bind", "127.0.0.1", "0") as second,
    ):
        eventually_blocking(lambda: len(psutil.Process(second.pid).net_connections()) == 1)
        links = Path(f"/proc/{second.pid}/fd").iterdir()
        opened = [str(link.readlink()) for link in links if int(link.name) > 2]

    assert {one.partition(":")[0] for one in opened} <= {"socket", "anon_inode"}
    assert len([one for one in opened if one.startswith("socket:")]) == 1


def test_no_two_forked_processes_draw_the_same(tmp_path: Path) -> None:
    drawn: list[str] = []
    for _ in range(2):
        with forked(tmp_path, "tests.unit.support.drawn_ids") as process:
            assert process.wait(20) == 0
        drawn += (tmp_path / "output").read_text().split()

    assert len(drawn) == len(set(drawn)) == 6


@pytest.mark.parametrize(
    ("argv", "changed"),
    [
        ((sys.executable, "-c", "pass"), {}),
        ((sys.executable, "-m", "pytest"), {}),
        (("gateway", "serve", "--help"), {}),
        (GATEWAY, {"PYTHONPATH": "/elsewhere"}),
        (GATEWAY, {"PYTHONOPTIMIZE": "1"}),
        (GATEWAY, {"LD_PRELOAD": "clock.so"}),
    ],
)
def test_what_begins_otherwise_is_executed(argv: tuple[str, ...], changed: dict[str, str]) -> None:
    assert can_be_forked(GATEWAY, surroundings())
    assert not can_be_forked(argv, surroundings() | changed)


def test_soaks_and_benchmarks_execute_what_they_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_VERSION")

    assert not can_be_forked(GATEWAY, surroundings())
