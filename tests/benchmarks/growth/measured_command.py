"""Runs a command as `python -m` does, and notes in a file how much memory it took at most, in MB.

The kernel's own account of an ended process begins with the memory of the one that started it:
https://man7.org/linux/man-pages/man2/getrusage.2.html has the maximum of the process, and what it
was before `execve` counts. A process's own status begins anew.
"""

import atexit
import re
import runpy
import sys
from pathlib import Path


def _note(path: Path) -> None:
    (peak_kb,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    path.write_text(str(int(peak_kb) / 1024))


if __name__ == "__main__":
    _, noted, command, *arguments = sys.argv
    atexit.register(_note, Path(noted))
    sys.argv = [command, *arguments]
    runpy.run_module(command, run_name="__main__", alter_sys=True)
