"""Lets commands that are called in the directory of a running `gateway up` find its settings.

    var/up.json   the file that it has read, and the variables that make its settings of that

Its process holds a lock on the file, so one that was killed leaves a file that nobody believes. The
file is for its user alone, since variables may hold secrets.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.settings.loading import load, settings_file
from gateway.settings.tree import Settings

__all__ = ["FILE", "RunningUp", "left_for_commands", "load_here", "running_up"]

FILE: Final = Path("var/up.json")


class RunningUp(Struct, frozen=True, kw_only=True):
    """What a `gateway up` leaves: `config` is the absolute path of its file, if it has one."""

    pid: int
    config: str | None
    variables: dict[str, str]


@contextmanager
def left_for_commands(running: RunningUp, file: Path = FILE) -> Iterator[None]:
    """Leave it in `file` for as long as the context lasts; raises OSError if that cannot be."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, msgspec.json.encode(running))
        fresh.replace(file)
        yield
    finally:
        with suppress(OSError):
            if file.stat().st_ino == os.fstat(descriptor).st_ino:  # or another one's by now
                file.unlink()
        os.close(descriptor)


def running_up() -> RunningUp | None:
    """What the `gateway up` has left that runs in this directory; None if none does, or it is
    somebody else's.
    """
    try:
        with FILE.open("rb") as left:
            with suppress(BlockingIOError):
                fcntl.flock(left, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return None  # nobody holds it: its process was killed
            return msgspec.json.decode(left.read(), type=RunningUp)
    except (OSError, msgspec.DecodeError):
        return None


def load_here(config: str | None, environ: Mapping[str, str]) -> tuple[Settings, RunningUp | None]:
    """The settings as `load` reads them, or those of the `gateway up` that runs in this directory,
    which is named then.

    A file that is named, or is there, goes first, unless it is the one that the running process
    has read itself; the environment goes before both. Raises SettingsError naming every fault.
    """
    found = running_up()
    here = settings_file(config, environ)
    is_of_running = found is not None and (
        here is None or (found.config is not None and here.absolute() == Path(found.config))
    )
    if found is None or not is_of_running:
        return load(config, environ), None
    return load(found.config, {**found.variables, **environ}), found
