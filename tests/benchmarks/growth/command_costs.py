"""Measures commands of an operator, each in a process of its own, its start included."""

import os
import resource
import subprocess
import sys
from pathlib import Path

__all__ = ["cost_s"]


def cost_s(*command: str, url: str = "", server_pid: int = 0) -> float:
    """The seconds of CPU that a command takes, and the server for it; the best of three.

    A command that prints nothing has found nothing: SystemExit.
    """
    environment = os.environ | {"GATEWAY_REDIS_URL": url or "redis://127.0.0.1:1"}
    taken = []
    for _ in range(3):
        before_s = _children_s() + _process_s(server_pid)
        done = subprocess.run(
            [sys.executable, "-m", *command], env=environment, stdout=subprocess.PIPE, check=True
        )
        if not done.stdout:
            raise SystemExit(f"{' '.join(command)} has found nothing")
        taken.append(_children_s() + _process_s(server_pid) - before_s)
    return min(taken)


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _process_s(pid: int) -> float:
    if not pid:
        return 0.0
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")
