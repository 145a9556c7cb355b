"""Measures commands of an operator, each in a process of its own, its start included."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile

from msgspec import Struct

__all__ = ["Cost", "cost_of"]


class Cost(Struct, frozen=True):
    """What a command takes of the processor, the server's part included, and of memory at most."""

    cpu_s: float
    peak_mb: float


def cost_of(*command: str, url: str = "", server_pid: int = 0, rounds: int = 3) -> Cost:
    """What a command takes, the best of some rounds.

    One that fails or prints nothing has found nothing: SystemExit.
    """
    environment = os.environ | {"GATEWAY_REDIS_URL": url or "redis://127.0.0.1:1"}
    costs = [_once(command, environment, server_pid) for _ in range(rounds)]
    return Cost(min(cost.cpu_s for cost in costs), min(cost.peak_mb for cost in costs))


def _once(command: tuple[str, ...], environment: dict[str, str], server_pid: int) -> Cost:
    before_s = _process_s(server_pid)
    with TemporaryFile() as said, NamedTemporaryFile() as noted:
        measured = ("-m", "tests.benchmarks.growth.measured_command", noted.name, *command)
        process = subprocess.Popen([sys.executable, *measured], env=environment, stdout=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if status or not said.tell():
            raise SystemExit(f"{' '.join(command)} has found nothing")
        peak_mb = float(noted.read())
    own_s = used.ru_utime + used.ru_stime
    return Cost(own_s + _process_s(server_pid) - before_s, peak_mb)


def _process_s(pid: int) -> float:
    if not pid:
        return 0.0
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")
