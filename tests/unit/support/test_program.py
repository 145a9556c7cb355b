"""A program that a test starts has ended when the test is left, and its pipes are closed."""

import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.support.consumer_process import Worker
from tests.support.eventually import eventually_blocking
from tests.support.program import Program

SLEEPS = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)")


def test_a_program_ends_with_a_test_that_fails(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        Program(SLEEPS, log_file=tmp_path / "log", environment={}) as program,
    ):
        program.launch()
        pid = program.pid
        raise ZeroDivisionError

    assert not psutil.pid_exists(pid)


def test_nobody_starts_a_program_that_nobody_ends(tmp_path: Path) -> None:
    program = Program(SLEEPS, log_file=tmp_path / "log", environment={})

    with pytest.raises(AssertionError, match="within `with`"):
        program.launch()


async def test_a_program_is_stopped_even_where_it_is_frozen(tmp_path: Path) -> None:
    with Program(SLEEPS, log_file=tmp_path / "log", environment={}) as program:
        program.launch()
        eventually_blocking(lambda: "up" in program.log)
        program.freeze()

        assert await program.stop() == -15


def test_a_worker_leaves_no_pipe_open_however_often_it_was_started(tmp_path: Path) -> None:
    before = open_pipes()
    with Worker("nobody", tmp_path, {}) as worker:
        for _ in range(3):
            worker.launch()
            worker.kill()

    assert open_pipes() <= before


def open_pipes() -> set[str]:
    links = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the listing's own
            links.add(str(descriptor.readlink()))
    return {link for link in links if link.startswith("pipe:")}
