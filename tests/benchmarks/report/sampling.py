"""Samples where a process of a benchmark spends its time, by py-spy, and the kernel's part.

Sampled are threads that hold the interpreter's lock: what waits is not in it, and neither is what
runs without the lock, as the event loop's own calls of the kernel. What the kernel takes of the CPU
time is told apart, by /proc.
"""

import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from tests.benchmarks.report.profile import Part, Profile

__all__ = ["profiled"]

_PER_S: Final = 100
_MOST: Final = 12
_LOOK_S: Final = 0.2
_OWN: Final = ("consumers", "gateway")
_IMPORTING: Final = "<frozen importlib"
_FRAME: Final = re.compile(r"^(?P<function>.+) \((?P<file>[^()]+?)(?::\d+)?\)$")


def profiled(
    name: str, of: str, arguments: Sequence[str], process: str, directory: Path
) -> Profile:
    """Run Python with some arguments; the profile of its descendants whose command has `process`.

    Samples of all that match are added up. SystemExit if none did.
    """
    file = directory / f"{name}.stacks"
    command = [
        *(str(Path(sys.executable).parent / "py-spy"), "record", "--subprocesses", "--gil"),
        *("--rate", str(_PER_S), "--format", "raw", "--output", str(file)),
        *("--", sys.executable, *arguments),
    ]
    times = _CpuTimes(process)
    with subprocess.Popen(command) as it:
        while it.poll() is None:
            times.look(it.pid)
            threading.Event().wait(_LOOK_S)
    counts = _packages(file.read_text(), process)
    total = counts.total()
    if not total:
        raise SystemExit(f"no process {process!r} was seen")
    parts = [Part(where, round(count / total, 3)) for where, count in counts.most_common(_MOST)]
    about = (
        f"Where the time goes in {of}: the kernel has {times.kernel_share:.0%} of its CPU time. "
        f"Of {total:,} samples that hold the interpreter's lock, without imports, and each "
        "without what it calls:"
    )
    return Profile(name, about, parts)


class _CpuTimes:
    """The CPU time of all processes that match, as far as it was seen."""

    def __init__(self, process: str) -> None:
        self._process = process
        self._of: dict[int, tuple[float, float]] = {}

    def look(self, root: int) -> None:
        """Note what the matching descendants of a process have had until now."""
        with suppress(psutil.NoSuchProcess):
            for one in psutil.Process(root).children(recursive=True):
                if self._process in " ".join(one.cmdline()):
                    times = one.cpu_times()
                    self._of[one.pid] = times.user, times.system

    @property
    def kernel_share(self) -> float:
        """The kernel's part of it all."""
        user_s = sum(user for user, _ in self._of.values())
        system_s = sum(system for _, system in self._of.values())
        return system_s / (user_s + system_s)


def _packages(stacks: str, process: str) -> Counter[str]:
    """How many samples ended in each package, of the processes that match, without imports."""
    counts: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        processes = [frame for frame in frames if frame.startswith("process ")]
        is_of_it = bool(processes) and process in processes[-1] and _IMPORTING not in stack
        if is_of_it and (match := _FRAME.match(frames[-1])):
            counts[_package(match["file"])] += int(count)
    return counts


def _package(file: str) -> str:
    """Of our own code the package, of a library its name."""
    first, *others, _module = Path(file).parts if "/" in file else (file, "")
    return "/".join((first, *others)) if first in _OWN else first
