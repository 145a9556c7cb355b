"""How much memory processes have for themselves: their proportional share (PSS), by the kernel.

A page that n processes share counts one n-th in each, so that the sum over all of them is what they
take together: https://docs.kernel.org/filesystems/proc.html, smaps_rollup.
"""

from collections.abc import Mapping
from pathlib import Path

import psutil

__all__ = ["pss_mb", "shares"]


def pss_mb(pid: int) -> float:
    """The proportional share of one process in MB (10^6 bytes); 0 if it is no more."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    kibibytes = next((line.split()[1] for line in text.splitlines() if line[:4] == "Pss:"), "0")
    return int(kibibytes) * 1024 / 1e6


def shares(root: int, names: Mapping[int, str]) -> dict[str, float]:
    """The share of each process of a tree; one without a name counts with the nearest above it."""
    found: dict[str, float] = {}

    def add(process: psutil.Process, name: str) -> None:
        name = names.get(process.pid, name)
        found[name] = found.get(name, 0.0) + pss_mb(process.pid)
        for child in process.children():
            add(child, name)

    add(psutil.Process(root), "up")
    return found
