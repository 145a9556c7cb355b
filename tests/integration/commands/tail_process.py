"""`gateway tail` as a process, which prints a line for each entry."""

import sys
from pathlib import Path
from typing import Self
from uuid import uuid4

from tests.support.eventually import eventually
from tests.support.program import Program

__all__ = ["TailProcess"]


class TailProcess(Program):
    """One `gateway tail`, whose lines are looked at one after the other."""

    def __init__(self, directory: Path, url: str, *arguments: str, **environ: str) -> None:
        self._errors = directory / f"{uuid4()}.errors"
        self._lines_read = 0
        super().__init__(
            (sys.executable, "-m", "gateway", "tail", *arguments),
            log_file=self._errors.with_suffix(".lines"),
            environment={"GATEWAY_REDIS_URL": url} | environ,
        )

    def __enter__(self) -> Self:
        super().__enter__()
        with self._errors.open("wb") as errors:
            self.launch(log=errors.fileno())
        return self

    @property
    def errors(self) -> str:
        """What it has told on standard error."""
        return self._errors.read_text()

    async def line(self) -> str:
        """The next line."""

        def is_there() -> bool:
            return self.log.count("\n") > self._lines_read

        await eventually(is_there)
        self._lines_read += 1
        return self.log.splitlines()[self._lines_read - 1]
