"""Tells dlt in which directory it works, and no settings but ours.

Left alone, dlt reads `.dlt/*.toml` in the current directory and in the home directory and variables
of the environment, keeps its files in the home directory, and reports its use over the network.
None of that happens here: the settings of the gateway are the only ones.
"""

import logging
from pathlib import Path
from typing import Any, Final

import dlt.common.logger
from dlt.common.configuration.container import Container
from dlt.common.configuration.providers.doc import BaseDocProvider
from dlt.common.configuration.providers.provider import ConfigProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.configuration.specs.runtime_configuration import RuntimeConfiguration
from dlt.common.runtime.run_context import RunContext

__all__ = ["surround"]

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


def surround(directory: Path) -> None:
    """Tie dlt to this directory, for the calling thread: it keeps its context for each."""
    # Assigned, never asked for first: asking makes dlt's own context, telemetry and all.
    Container()[PluggableRunContext] = PluggableRunContext(_Context(str(directory)))


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
