"""Milliseconds of CPU to read the bodies that cost most; ends with 1 if one takes more than 5.

Nobody can post one that takes longer than the worst of these, as far as is known; the best of
several turns counts, since a busy machine makes all of them slower.
"""

import sys
import time
from typing import Final

from tests.fuzz.costly import COSTLY_BODIES, READERS

BAR_MS: Final = 5.0
TURNS: Final = 15


def milliseconds(kind: str, reader: str) -> float:
    """The CPU time of one body in one reader."""
    best_ns = sys.maxsize
    for _ in range(TURNS):
        started = time.process_time_ns()
        READERS[reader](COSTLY_BODIES[kind])
        best_ns = min(best_ns, time.process_time_ns() - started)
    return best_ns / 1e6


def main() -> int:
    """Measure all of them."""
    print(f"{'ms of CPU':40}" + "".join(f"{reader:>18}" for reader in READERS))
    worst = 0.0
    for kind in COSTLY_BODIES:
        row = [milliseconds(kind, reader) for reader in READERS]
        worst = max(worst, *row)
        print(f"{kind:40}" + "".join(f"{value:18.2f}" for value in row))
    print(f"the worst takes {worst:.2f} ms; none may take more than {BAR_MS:.0f}")
    return 1 if worst > BAR_MS else 0


if __name__ == "__main__":
    sys.exit(main())
