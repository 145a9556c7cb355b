"""A fresh Debian for one test: a copy of the base in namespaces of its own, without systemd.

Its ports, processes and mounts are nobody else's, and end with it.
"""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

import psutil

from tests.integration.deploy.bare import unit_runner
from tests.integration.deploy.bare.debian_base import debian_base
from tests.support.eventually import eventually_blocking
from tests.support.program import Program

__all__ = ["DebianMachine", "debian_machine"]

_CLEAN: Final = (
    *("env", "-i", "TERM=dumb", "LANG=C.UTF-8", "HOME=/root"),
    *("PIP_NO_INDEX=1", "PIP_FIND_LINKS=/wheels"),
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
)
_MOUNTS: Final = """
mount --bind "$0" "$0"
mount -t proc proc "$0/proc"
mount --bind /dev "$0/dev"
mount -t tmpfs -o mode=755 tmpfs "$0/run"
chroot "$0" python3 -c 'import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH14s", b"lo", 0x41, b""))  # lo up
'
echo ready
exec sleep infinity
"""
_MOST_S: Final = 1200


def has_ended(program: Program) -> bool:
    return not program.is_running


class DebianMachine:
    """A machine on which commands are called, and units started as systemd would."""

    def __init__(self, root: Path, logs: Path, inside: Sequence[str]) -> None:
        self.root, self._logs = root, logs
        self._inside = (*inside, *_CLEAN)
        self._units: dict[str, Program] = {}
        self._starts = 0
        self._stack = ExitStack()
        shutil.copy(unit_runner.__file__, root / "unit_runner.py")

    def called(self, *command: str, code: int | None = 0) -> str:
        """What a command says there, as root; it has to end with this code, if one is given."""
        done = subprocess.run(
            (*self._inside, *command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_MOST_S,
            check=False,
        )
        assert code in {None, done.returncode}, (command, done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def shell(self, text: str) -> str:
        """What a block of commands says there, in the source; the first that fails is the last."""
        return self.called("bash", "-euo", "pipefail", "-c", f"cd /source\n{text}")

    def start(self, *units: str) -> None:
        """Start units, all at once, and wait until each has said that it is ready."""
        for unit in units:
            self._starts += 1
            program = self._stack.enter_context(
                Program(
                    (*self._inside, "python3", "-u", "/unit_runner.py", unit),
                    log_file=self._logs / f"{self._starts}-{unit}.log",
                    environment={},
                    is_executed=True,
                )
            )
            program.launch()
            self._units[unit] = program
        for unit in units:
            eventually_blocking(partial(self._is_ready, unit), timeout_s=240)

    def stop(self, *units: str) -> None:
        """Stop units as systemd does, and wait for it."""
        for unit in units:
            pid = Path("/run/units", unit)
            self.shell(f'kill -TERM "$(cat {pid})"')
        for unit in units:
            program = self._units.pop(unit)
            eventually_blocking(partial(has_ended, program), timeout_s=120)
            assert program.exit_code == 0, (unit, program.log)

    def log(self, unit: str) -> str:
        """What the unit has printed since its last start."""
        return self._units[unit].log

    def close(self) -> None:
        self._stack.close()

    def _is_ready(self, unit: str) -> bool:
        program = self._units[unit]
        assert program.is_running, program.log
        return "READY\n" in program.log


@contextmanager
def debian_machine() -> Iterator[DebianMachine]:
    """One that is removed at the end, with all that runs there."""
    place = Path(mkdtemp(prefix="machine."))
    try:
        root = place / "root"
        subprocess.run(("cp", "-a", debian_base(), root), check=True)
        with subprocess.Popen(
            (
                *("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"),
                *("--propagation", "private", "bash", "-euc", _MOUNTS, root),
            ),
            stdout=subprocess.PIPE,
        ) as holder:
            try:
                assert holder.stdout is not None
                assert holder.stdout.readline() == b"ready\n"
                (first,) = psutil.Process(holder.pid).children()
                inside = ("nsenter", f"--target={first.pid}", "--mount", "--net", "--pid")
                machine = DebianMachine(root, place, (*inside, "chroot", str(root)))
                try:
                    yield machine
                finally:
                    machine.close()
            finally:
                holder.kill()
    finally:
        # The mounts were gone with the last process there.
        shutil.rmtree(place)
