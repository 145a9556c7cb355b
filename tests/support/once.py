"""Makes what several workers of a run need once for all of them: whoever needs it first does it.

A fixture of a session or of a module is set up by each worker that is given one of its tests.
"""

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest

__all__ = ["once"]


def once(
    tmp_path_factory: pytest.TempPathFactory,
    worker_id: str,
    name: str,
    make: Callable[[Path], object],
) -> Path:
    """The directory `name`, which `make` has filled. It is for reading: others have it, too.

    If `make` fails, the next that needs it tries again.
    """
    directory = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        directory = directory.parent
    made = directory / name
    with (directory / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            making = tmp_path_factory.mktemp(name)
            make(making)
            making.rename(made)
    return made
