"""Gives dlt a directory of this process to work in, and no settings but ours.

Left alone, dlt reads `.dlt/*.toml` in the current directory and in the home directory and variables
of the environment, keeps its files in the home directory, and reports its use over the network.
None of that happens here: the settings of the gateway are the only ones.
"""

import fcntl
import logging
import os
import shutil
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import dlt.common.logger
from dlt.common.configuration.container import Container
from dlt.common.configuration.providers.doc import BaseDocProvider
from dlt.common.configuration.providers.provider import ConfigProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.configuration.specs.runtime_configuration import RuntimeConfiguration
from dlt.common.runtime.run_context import RunContext

from gateway.errors import OperatorError

__all__ = ["Workspace"]

_SETTINGS: Final[dict[str, Any]] = {
    "runtime": {"dlthub_telemetry": False},
    "providers": {"enable_airflow_secrets": False},
    # A load is one small file: workers and traces would only cost.
    "normalize": {"workers": 1},
    # Rows do not stay behind in the staging tables, where no erasure would look for them.
    "load": {"workers": 1, "delete_completed_jobs": True, "truncate_staging_dataset": True},
    "data_writer": {"disable_compression": True},
    "enable_runtime_trace": False,
    # The tables are described by this code and are read from the destination at every start.
    "restore_from_destination": False,
}


class Workspace:
    """Takes a directory that only this process uses, empties it, and ties dlt to it.

    It is `<dir>/<n>` with the first `n` whose lock is free, so that a process that was killed
    leaves nothing behind that its successor does not find and empty. `name` differs between all
    processes that are alive, on this machine and on others.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self._slot, self._lock, number = _first_free(self.directory)
        self.name = f"{_here(directory):08x}_{number}"
        self.empty()
        # Assigned, never asked for first: asking makes dlt's own context, telemetry and all.
        Container()[PluggableRunContext] = PluggableRunContext(_Context(str(self._slot)))

    @property
    def path(self) -> Path:
        """The directory."""
        return self._slot / "dlt"

    def empty(self) -> None:
        """Forget what an earlier, perhaps interrupted load left."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)

    def remove_loaded(self) -> None:
        """Remove what dlt keeps of each load that has ended, a dozen small files of each."""
        for package in self.path.glob("*/load/loaded/*"):
            shutil.rmtree(package, ignore_errors=True)

    def close(self) -> None:
        """Remove the directory's contents and let others have it. May be called twice."""
        shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):
            os.close(self._lock)


def _here(directory: Path) -> int:
    """A number of this directory on this machine: containers may share all but the file system."""
    found = directory.stat()
    return crc32(
        f"{socket.gethostname()}:{directory.absolute()}:{found.st_dev}:{found.st_ino}".encode()
    )


def _first_free(directory: Path) -> tuple[Path, int, int]:
    """A subdirectory, its held lock (a file descriptor), and its number."""
    number = 0
    while True:
        slot = directory / str(number)
        try:
            slot.mkdir(parents=True, exist_ok=True)
            lock = os.open(slot / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OperatorError(f"[warehouse] work_dir: {error}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            number += 1
        else:
            return slot, lock, number


class _Settings(BaseDocProvider):
    """dlt's only source of settings."""

    name = "[warehouse]"
    supports_secrets = True

    def __init__(self) -> None:
        super().__init__(_SETTINGS)


class _Context(RunContext):
    """dlt's idea of its surroundings: our directory, our settings, our logging, no telemetry."""

    def __init__(self, directory: str) -> None:
        super().__init__(directory)
        self._directory = directory

    global_dir = data_dir = run_dir = local_dir = property(lambda self: self._directory)

    def initial_providers(self) -> list[ConfigProvider]:
        return [_Settings()]

    def initialize_runtime(self, runtime_config: RuntimeConfiguration | None = None) -> None:
        """In dlt's own context this also starts telemetry and installs a log handler of its own."""
        self._runtime_config = runtime_config or RuntimeConfiguration(dlthub_telemetry=False)
        dlt.common.logger.LOGGER = logging.getLogger("dlt")
        # Its warnings advise against what is done here on purpose; its errors may quote rows, and
        # come as exceptions as well.
        dlt.common.logger.LOGGER.setLevel(logging.CRITICAL)
