"""The supervisor with real processes."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from gateway.errors import OperatorError
from gateway.processes import supervisor
from gateway.processes.child import Child
from gateway.processes.supervisor import ChildFailed, Supervisor
from tests.support.eventually import eventually, eventually_blocking
from tests.support.program import piped

# Each says something, so that a test knows how far it has come.
SLEEPS = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPS
POLITE = (
    "import signal, sys, time\n"
    "def end(*_):\n    print('bye', flush=True)\n    sys.exit(0)\n"
    "signal.signal(signal.SIGTERM, end)\n"
) + SLEEPS
PARENT = (
    "import subprocess, sys\n"
    f"child = subprocess.Popen([sys.executable, '-c', {STUBBORN!r}])\n"
    "print(child.pid, flush=True)\n"
) + STUBBORN


class Recorder:
    """An observer that keeps all it is told, and that one can wait on."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []
        self.pids: dict[str, int] = {}
        self._changed = asyncio.Event()

    def started(self, name: str, pid: int) -> None:
        self.pids[name] = pid
        self._add("started", name)

    def said(self, name: str, line: str) -> None:
        self._add("said", name, line)

    def died(self, name: str, exit_code: int, restart_in_s: float) -> None:
        self._add("died", name, exit_code, restart_in_s)

    def ready(self) -> None:
        self._add("ready")

    def stopping(self) -> None:
        self._add("stopping")

    def _add(self, *what: object) -> None:
        self.told.append(what)
        self._changed.set()

    async def until(self, *what: object, times: int = 1) -> None:
        async with asyncio.timeout(20):
            while self.told.count(what) < times:
                self._changed.clear()
                await self._changed.wait()


def child(name: str, code: str, **options: object) -> Child:
    return Child(name=name, argv=(sys.executable, "-c", code), **options)  # type: ignore[arg-type]


@asynccontextmanager
async def running(
    *tiers: list[Child], grace_s: float = 20, **options: Any
) -> AsyncIterator[tuple[Recorder, "asyncio.Task[None]"]]:
    """A supervisor in a task; on leaving, whatever it started is gone."""
    recorder = Recorder()
    task = asyncio.create_task(Supervisor(tiers, recorder, grace_s=grace_s, **options).run())
    try:
        yield recorder, task
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert not [pid for pid in recorder.pids.values() if is_alive(pid)]


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def test_lines_of_both_outputs_arrive_whole_and_in_order() -> None:
    code = (
        "import sys\n"
        "print('one', flush=True)\n"
        "print('two', file=sys.stderr, flush=True)\n"
        "print('x' * 200_000, flush=True)\n"
        "print('last', end='', flush=True)\n"
    )
    async with running([child("a", code)]) as (recorder, _):
        await recorder.until("said", "a", "last")

    said = [what[2] for what in recorder.told if what[0] == "said"][:4]
    assert said == ["one", "two", "x" * 200_000, "last"]


async def test_a_child_gets_its_environment_on_top_of_the_supervisors() -> None:
    code = "import os; print(os.environ['OWN'], 'PATH' in os.environ, flush=True)"
    async with running([child("a", code, env={"OWN": "value"})]) as (recorder, _):
        await recorder.until("said", "a", "value True")


async def test_a_child_reads_what_it_is_given_each_time_it_starts() -> None:
    code = "import sys; print(sys.stdin.read(), flush=True)"
    async with running([child("a", code, given=lambda: b"x" * 100_000)]) as (recorder, _):
        await recorder.until("said", "a", "x" * 100_000, times=2)


async def test_what_a_child_says_can_go_where_the_supervisors_output_goes(
    capfd: pytest.CaptureFixture[str],
) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr)"
    async with running([child("a", code, shares_output=True)]) as (recorder, _):
        await recorder.until("died", "a", 0, 0.5)

    assert capfd.readouterr() == ("out\n", "err\n")
    assert not [what for what in recorder.told if what[0] == "said"]


async def test_a_child_that_dies_is_started_again_and_that_is_told() -> None:
    async with running([child("a", SLEEPS)]) as (recorder, _):
        await recorder.until("said", "a", "up")
        os.kill(recorder.pids["a"], signal.SIGKILL)
        await recorder.until("said", "a", "up", times=2)

    assert ("died", "a", -signal.SIGKILL, 0.5) in recorder.told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_stops_all_children_and_run_returns(number: signal.Signals) -> None:
    async with running([child("a", POLITE), child("b", POLITE)]) as (recorder, task):
        await recorder.until("said", "a", "up")
        await recorder.until("said", "b", "up")
        os.kill(os.getpid(), number)
        async with asyncio.timeout(20):
            await task

    assert ("said", "a", "bye") in recorder.told
    assert ("said", "b", "bye") in recorder.told
    assert not [what for what in recorder.told if what[0] == "died"]


async def test_a_tier_starts_when_the_one_before_is_ready_and_stops_before_it() -> None:
    is_ready = asyncio.Event()

    async def ready() -> None:
        await is_ready.wait()

    tiers = [[child("first", POLITE, ready=ready)], [child("second", POLITE)]]
    async with running(*tiers) as (recorder, task):
        await recorder.until("said", "first", "up")
        assert ("started", "second") not in recorder.told
        is_ready.set()
        await recorder.until("ready")
        await recorder.until("said", "second", "up")
        os.kill(os.getpid(), signal.SIGTERM)
        await task

    byes = [what[1] for what in recorder.told if what[0] == "said" and what[2] == "bye"]
    assert byes == ["second", "first"]


async def test_a_signal_before_all_are_ready_stops_too() -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    tiers = [[child("first", POLITE, ready=never)], [child("second", POLITE)]]
    async with running(*tiers) as (recorder, task):
        await recorder.until("said", "first", "up")
        os.kill(os.getpid(), signal.SIGTERM)
        await task

    assert ("started", "second") not in recorder.told
    assert ("ready",) not in recorder.told


async def test_the_farewell_is_said_while_all_children_still_run() -> None:
    seen: list[bool] = []

    async def farewell() -> None:
        await asyncio.sleep(0)
        seen.append(is_alive(recorder.pids["a"]))

    async with running([child("a", POLITE)], farewell=farewell) as (recorder, task):
        await recorder.until("said", "a", "up")
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(20):
            await task

    assert seen == [True]
    assert recorder.told.index(("stopping",)) < recorder.told.index(("said", "a", "bye"))


async def test_a_child_that_ignores_sigterm_is_killed_after_the_grace_with_all_it_started() -> None:
    async with running([child("a", PARENT)], grace_s=0.2) as (recorder, task):
        await recorder.until("said", "a", "up", times=2)
        grandchild = next(int(str(what[2])) for what in recorder.told if what[0] == "said")
        os.kill(os.getpid(), signal.SIGTERM)
        await task

    await eventually(lambda: not is_alive(grandchild))


async def test_a_second_signal_kills_at_once() -> None:
    async with running([child("a", STUBBORN)], grace_s=600) as (recorder, task):
        await recorder.until("said", "a", "up")
        os.kill(os.getpid(), signal.SIGINT)
        await recorder.until("stopping")
        os.kill(os.getpid(), signal.SIGINT)
        async with asyncio.timeout(20):
            await task


async def test_a_fatal_exit_code_stops_all_and_tells_what_to_do() -> None:
    tier = [child("a", "raise SystemExit(2)", fatal={2: "mend it"}), child("b", SLEEPS)]
    async with running(tier) as (_, task):
        with pytest.raises(ChildFailed, match=r"^a ended with exit code 2: mend it$"):
            await task


async def test_a_child_that_once_ran_steadily_is_started_again_even_after_a_fatal_exit_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor, "_STEADY_S", 0.0)
    async with running([child("a", "raise SystemExit(2)", fatal={2: "mend it"})]) as (recorder, _):
        await recorder.until("died", "a", 2, 0.5, times=2)


async def test_a_program_that_is_not_there_is_tried_again_with_its_name_told() -> None:
    async with running([Child(name="a", argv=("/no/such/program",))]) as (recorder, _):
        await recorder.until("died", "a", 127, 0.5)

    assert ("said", "a", "/no/such/program: No such file or directory") in recorder.told


async def test_a_child_that_never_will_be_ready_stops_all() -> None:
    async def refuses() -> None:
        raise OperatorError("no")

    async with running([child("a", SLEEPS, ready=refuses)]) as (_, task):
        with pytest.raises(OperatorError, match=r"^no$"):
            await task


async def test_an_observer_that_fails_stops_all_in_order_and_its_error_comes_out() -> None:
    class Deaf(Recorder):
        def said(self, name: str, line: str) -> None:
            raise BrokenPipeError

    recorder = Deaf()
    with pytest.raises(BrokenPipeError):
        await Supervisor([[child("a", POLITE)]], recorder).run()

    assert not is_alive(recorder.pids["a"])


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_no_child_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "supervise.py"
    program.write_text(
        "import asyncio, sys\n"
        "from gateway.processes.child import Child\n"
        "from gateway.processes.supervisor import Supervisor\n"
        "class Tell:\n"
        "    def started(self, name, pid): print(pid, flush=True)\n"
        "    def said(self, name, line): print(line, flush=True)\n"
        "    def died(self, *_): pass\n"
        "    def ready(self): pass\n"
        "    def stopping(self): pass\n"
        f"child = Child(name='a', argv=(sys.executable, '-c', {SLEEPS!r}))\n"
        "asyncio.run(Supervisor([[child]], Tell()).run())\n"
    )
    with piped([sys.executable, program]) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert process.stdout.readline() == b"up\n"
        assert is_alive(pid)
        process.kill()
        eventually_blocking(lambda: not is_alive(pid))
