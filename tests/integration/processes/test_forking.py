"""Children forked from a parent that has imported for all of them, with real processes."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from gateway.local.process_plan import shared_modules
from gateway.settings import Settings
from tests.support.eventually import eventually_blocking
from tests.support.program import ROOT, Program

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is forked")

SUPERVISE: Final = """
import asyncio, json, sys
from gateway.processes.child import Child
from gateway.processes.fork_launcher import ForkLauncher
from gateway.processes.fork_server import forked_server
from gateway.processes.supervisor import Supervisor

class Tell:
    def started(self, name, pid): self.tell("started", name, pid)
    def said(self, name, line): self.tell("said", name, line)
    def died(self, name, exit_code, restart_in_s): self.tell("died", name, exit_code)
    def ready(self): self.tell("ready")
    def stopping(self): self.tell("stopping")
    def tell(self, *what): print(json.dumps(what), flush=True)

async def main(server):
    names = sys.argv[2:]
    argv = [(sys.executable, "-m", name, "one", "two") for name in names]
    children = [Child(name=n, argv=a, env={"OWN": n}) for n, a in zip(names, argv)]
    if server is None:
        await Supervisor([children], Tell(), grace_s=1).run()
        return
    with ForkLauncher(server) as launcher:
        await Supervisor([children], Tell(), grace_s=1, launcher=launcher).run()

if sys.argv[1] == "exec":
    asyncio.run(main(None))
else:
    with forked_server(["shared", "no_such_module"]) as server:
        Tell().tell("server", "", server.pid)
        asyncio.run(main(server))
    Tell().tell("over")
"""
MODULES: Final = {
    "shared": "import os\nprint(f'imported by {os.getpid()}', flush=True)",
    "sleeps": "import time\nprint('up', flush=True)\ntime.sleep(600)",
    "ends": "import sys\nprint('bye')\nsys.exit(3)",
    "fails": "def fail():\n    raise ValueError('no')\nfail()",
    "uses": (
        "import os, sys, time\n"
        "print('shared' in sys.modules, os.getppid(), flush=True)\n"
        "time.sleep(600)\n"
    ),
    "draws": "import random\nprint(random.random(), flush=True)\nimport time\ntime.sleep(600)",
    "stubborn": (
        "import signal, subprocess, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-m', 'sleeps'])\n"
        "print(child.pid, flush=True)\n"
        "import sleeps\n"
    ),
    "looks": (
        "import gc, json, os, signal, sys, threading\n"
        "print(json.dumps({\n"
        "    'arguments': [sys.argv[0], *sys.argv[1:]], 'name': __name__,\n"
        "    'own': os.environ['OWN'], 'home': os.environ.get('HOME'),\n"
        "    'leads': os.getsid(0) == os.getpid(), 'directory': os.getcwd(),\n"
        "    'signals': {n.name: str(signal.getsignal(n)) for n in signal.valid_signals()\n"
        "                if n < signal.SIGRTMIN},\n"
        "    'mask': sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),\n"
        "    'waker': signal.set_wakeup_fd(-1), 'threads': threading.active_count(),\n"
        "    'collects': gc.isenabled(), 'input': sys.stdin.read(),\n"
        "    'streams': [(one.fileno(), one.encoding, one.errors, one.line_buffering)\n"
        "                for one in (sys.stdin, sys.stdout, sys.stderr)],\n"
        "    'files': len(os.listdir('/proc/self/fd')),\n"
        "}), flush=True)\n"
        "import time\n"
        "time.sleep(600)\n"
    ),
}


class Supervised(Program):
    """A supervisor's program, and what its observer was told."""

    def told(self, what: str, name: str = "") -> list[Any]:
        """The last of each thing of this kind, about the child of this name."""
        lines = [json.loads(line) for line in self.log.splitlines() if line[:2] == '["']
        return [line[-1] for line in lines if line[0] == what and line[1:2] in ([name], [])]

    def until(self, what: str, name: str = "", *, times: int = 1) -> Any:
        """Wait until it was told this so often; the last of it."""
        try:
            eventually_blocking(lambda: len(self.told(what, name)) >= times)
        except AssertionError as error:
            raise AssertionError(self.log) from error
        return self.told(what, name)[-1]


@contextmanager
def supervising(directory: Path, *names: str, how: str = "fork") -> Iterator[Supervised]:
    """A supervisor of children that run these modules; killed, should it not have been stopped."""
    for name, text in MODULES.items():
        (directory / f"{name}.py").write_text(text)
    (directory / "supervise.py").write_text(SUPERVISE)
    with Supervised(
        (sys.executable, "supervise.py", how, *names),
        log_file=directory / f"{how}.log",
        environment={"PYTHONPATH": f"{directory}:{ROOT}"},
        directory=directory,
    ) as program:
        program.launch()
        yield program


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_forked_child_finds_everything_as_a_program_that_was_just_started(tmp_path: Path) -> None:
    seen = {}
    for how in ("exec", "fork"):
        with supervising(tmp_path, "looks", how=how) as program:
            seen[how] = json.loads(program.until("said", "looks"))

    assert seen["exec"]["arguments"] == [str(tmp_path / "looks.py"), "one", "two"]
    assert seen["fork"] == seen["exec"]


def test_children_have_what_the_parent_imported_and_nobody_imports_it_again(tmp_path: Path) -> None:
    with supervising(tmp_path, "uses") as program:
        server = program.until("server")

        assert program.until("said", "uses") == f"True {server}"
        assert program.log.count("imported by") == 1
        assert f"imported by {program.pid}\n" in program.log


def test_what_is_shared_is_there_starts_no_thread_and_opens_nothing() -> None:
    for with_demo in (False, True):
        shared = shared_modules(Settings(), with_demo=with_demo)
        code = (
            "import importlib, json, os, sys\n"
            f"for name in {shared!r}: importlib.import_module(name)\n"
            "heavy = {'dlt', 'duckdb', 'pyarrow'} & sys.modules.keys()\n"
            "files = [one for one in os.listdir('/proc/self/fd') if int(one) > 3]\n"
            "print(json.dumps([len(os.listdir('/proc/self/task')), files, list(heavy)]))\n"
        )
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

        assert json.loads(told.stdout) == [1, [], []]


def test_children_draw_random_numbers_of_their_own(tmp_path: Path) -> None:
    with supervising(tmp_path, "draws") as program:
        program.until("said", "draws")
        psutil.Process(program.until("started", "draws")).kill()
        program.until("said", "draws", times=2)

        assert len(set(program.told("said", "draws"))) == 2


def test_ends_are_told_as_of_a_program_and_a_child_is_started_again(tmp_path: Path) -> None:
    with supervising(tmp_path, "ends", "sleeps", "fails") as program:
        program.until("said", "sleeps")
        psutil.Process(program.until("started", "sleeps")).kill()
        program.until("said", "sleeps", times=2)
        for name in ("ends", "fails"):
            program.until("died", name)

        assert program.told("died", "sleeps") == [-signal.SIGKILL]
        assert program.told("died", "ends")[0] == 3
        assert program.told("died", "fails")[0] == 1
        assert program.told("said", "ends")[0] == "bye"
        trace = program.told("said", "fails")
        assert trace[0] == "Traceback (most recent call last):"
        assert "ValueError: no" in trace
        assert not [line for line in trace if "supervise.py" in line]


def test_a_stop_reaches_all_and_takes_the_server_along(tmp_path: Path) -> None:
    with supervising(tmp_path, "sleeps", "stubborn") as program:
        program.until("said", "sleeps")
        program.until("said", "stubborn", times=2)
        (grandchild,) = (int(one) for one in program.told("said", "stubborn") if one != "up")
        program.send(signal.SIGTERM)
        program.until("over")

        pids = (program.until("server"), program.until("started", "stubborn"), grandchild)
        eventually_blocking(lambda: not [pid for pid in pids if is_alive(pid)])
        assert program.told("died", "sleeps") == []


def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    with supervising(tmp_path, "sleeps") as program:
        program.until("said", "sleeps")
        pids = [program.until("server"), program.until("started", "sleeps")]
        assert all(is_alive(pid) for pid in pids)
        program.kill()

        eventually_blocking(lambda: not [pid for pid in pids if is_alive(pid)])


def test_without_its_server_that_somebody_killed_children_go_on_as_programs(tmp_path: Path) -> None:
    with supervising(tmp_path, "sleeps", "uses") as program:
        program.until("said", "sleeps")
        program.until("said", "uses")
        psutil.Process(program.until("server")).kill()
        program.until("said", "sleeps", times=2)
        program.until("said", "uses", times=2)

        assert program.told("died", "sleeps") == [-signal.SIGTERM]
        assert f"False {program.pid}" in program.told("said", "uses")
        program.send(signal.SIGTERM)
        program.until("over")
        assert not [one for one in program.told("started", "sleeps") if is_alive(one)]
