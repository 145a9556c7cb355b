"""Every command starts in an interpreter that has imported nothing before; tests fork them else."""

import sys
from pathlib import Path

import pytest

import consumers.cli
import gateway.cli
from tests.support.program import surroundings
from tests.support.starting import finished_blocking

COMMANDS = [
    *(("gateway", name) for name in gateway.cli.TABLE),
    *(("consumers", name) for name in consumers.cli.TABLE),
]


@pytest.mark.parametrize(("module", "name"), COMMANDS)
def test_a_command_starts_by_itself(tmp_path: Path, module: str, name: str) -> None:
    done = finished_blocking(
        (sys.executable, "-m", module, name, "--what-there-is-not"),
        directory=tmp_path,
        environment=surroundings(),
        is_executed=True,
    )

    # Help is answered without the command; so that it is asked, it is asked for what it has not.
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Usage: {module} {name} ")
