"""Consumers as real processes: `consumers run NAME`, set up by their environment or a file."""

import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from types import MappingProxyType, TracebackType
from typing import Final

from gateway.local.redis_server import free_port
from tests.support.log_reader import LogReader
from tests.support.program import Program

__all__ = ["SERVICE", "ConsumerProcess", "Worker", "configured_consumer", "logged", "service"]

SERVICE: Final = "tests.integration.runtime.service:app"
_PROBE_S: Final = 10.0


class ConsumerProcess(Program):
    """One consumer; `environment` has whole names of variables, `options` stand before `run`."""

    def __init__(
        self,
        name: str,
        directory: Path,
        environment: Mapping[str, str],
        *,
        options: tuple[str, ...] = (),
        is_executed: bool = False,
    ) -> None:
        self.name = name
        self._effects = directory / "effects"
        super().__init__(
            (sys.executable, "-m", "consumers", *options, "run", name),
            log_file=directory / f"{name}-{time.monotonic_ns()}.log",
            directory=directory,
            environment={"SERVICE_EFFECTS": str(self._effects), **environment},
            is_executed=is_executed,
        )

    def effects(self) -> list[list[str]]:
        """Each effect of the tests' service as its words; a line cut off by a kill is none."""
        if not self._effects.exists():
            return []
        whole, _, _cut = self._effects.read_text().rpartition("\n")
        return [line.split() for line in whole.splitlines()]


class Worker(ConsumerProcess):
    """A consumer with probes, whose log goes through a pipe where somebody may stop reading it."""

    def __init__(self, name: str, directory: Path, environment: Mapping[str, str]) -> None:
        self.port = free_port()
        self.reader: LogReader | None = None
        super().__init__(name, directory, {"GATEWAY_CONSUMERS_PORT": str(self.port), **environment})

    def launch(self, *, log: int | None = None) -> None:
        """Start it; the log goes to this descriptor, or through a pipe to its file."""
        self._end_reading()
        if log is not None:
            super().launch(log=log)
            return
        reading, writing = os.pipe()
        self.reader = LogReader(reading, self.log_file)
        try:
            super().launch(log=writing)
        finally:
            os.close(writing)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        self._end_reading()

    async def stop(self, *, timeout_s: float = 40) -> int:
        if self.reader is not None:
            self.reader.resume()
        return await super().stop(timeout_s=timeout_s)

    def probe(self, path: str) -> int:
        """The status that a probe is answered with; 0 for no answer."""
        try:
            url = f"http://127.0.0.1:{self.port}/{path}"
            with urllib.request.urlopen(url, timeout=_PROBE_S) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def _end_reading(self) -> None:
        if self.reader is not None:
            self.reader.die()
            self.reader = None


def logged(directory: Path, name: str) -> str:
    """All that processes of a consumer have logged there, the first one's first."""
    return "".join(path.read_text() for path in sorted(directory.glob(f"{name}-*.log")))


@contextmanager
def service(
    redis_url: str, directory: Path, *, name: str = SERVICE, **environment: str
) -> Iterator[ConsumerProcess]:
    """A started consumer; stopped at the end as a supervisor does it."""
    with ConsumerProcess(
        name, directory, {"GATEWAY_REDIS_URL": redis_url, **environment}
    ) as process:
        process.launch()
        yield process
        process.stop_blocking()


@contextmanager
def configured_consumer(
    name: str,
    settings: str,
    directory: Path,
    *,
    environment: Mapping[str, str] = MappingProxyType({}),
    log: int | None = None,
) -> Iterator[ConsumerProcess]:
    """A started consumer with these settings (TOML) in a file; stopped at the end."""
    config = directory / "gateway.toml"
    config.write_text(dedent(settings))
    with ConsumerProcess(
        name, directory, environment, options=("--config", str(config))
    ) as process:
        process.launch(log=log)
        yield process
        process.stop_blocking()
