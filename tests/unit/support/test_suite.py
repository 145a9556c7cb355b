"""`make test` runs every test, and fails if one fails twice."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from tests.suite import ROOT

UNITS = """
    def test_good(): pass
    def test_bad(): assert False
"""
OTHERS = """
    from pathlib import Path
    def test_fine(): pass
    def test_flaky():
        seen = Path("seen")
        if not seen.exists():
            seen.touch()
            assert False
"""
RUNNING = """
    import sys
    from pathlib import Path
    from tests.suite import run
    sys.exit(run("1", Path.cwd()))
"""


def test_what_fails_runs_once_more_by_itself_and_fails_if_it_fails_again(tmp_path: Path) -> None:
    for folder, source in (("unit", UNITS), ("integration", OTHERS)):
        (tmp_path / "tests" / folder).mkdir(parents=True)
        (tmp_path / "tests" / folder / f"test_{folder}.py").write_text(dedent(source))
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = tests\naddopts = -p xdist -rA\n")

    done = subprocess.run(
        [sys.executable, "-c", dedent(RUNNING)],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    together, units_again, others_again = done.stdout.split("once more, one by one")
    assert outcomes(together) == {
        "PASSED tests/integration/test_integration.py::test_fine",
        "FAILED tests/integration/test_integration.py::test_flaky - assert False",
        "PASSED tests/unit/test_unit.py::test_good",
        "FAILED tests/unit/test_unit.py::test_bad - assert False",
    }
    assert outcomes(units_again) == {"FAILED tests/unit/test_unit.py::test_bad - assert False"}
    assert outcomes(others_again) == {"PASSED tests/integration/test_integration.py::test_flaky"}


def outcomes(printed: str) -> set[str]:
    return {line for line in printed.splitlines() if line.startswith(("PASSED ", "FAILED "))}
