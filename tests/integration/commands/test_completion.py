"""A TAB in bash, set up as the README says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

_README = (Path(__file__).parents[3] / "README.md").read_text()
_ASKED = """
set -e
{setup}
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_{program}_completion {program}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(line: str, directory: Path) -> list[str]:
    """What bash offers behind this line; a last word that is `''` has yet to begin."""
    program = line.split(maxsplit=1)[0]
    setups: list[str] = re.findall(r"eval \"\$\(_\w+_COMPLETE=bash_source \w+\)\"", _README)
    (setup,) = [one for one in setups if f" {program})" in one]
    done = subprocess.run(
        ["bash", "--norc", "-c", _ASKED.format(setup=setup, words=line, program=program)],
        capture_output=True,
        text=True,
        cwd=directory,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        check=True,
    )
    assert not done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("gateway ser", ["serve"]),
        ("gateway dead re", ["retry"]),
        ("gateway groups --js", ["--json"]),
        ("consumers w", ["warehouse"]),
        ("consumers audit verify-", ["verify-proof"]),
        ("consumers run aud", ["audit"]),
    ],
)
def test_a_tab_completes_commands_and_options(
    line: str, offered: list[str], tmp_path: Path
) -> None:
    assert completed(line, tmp_path) == offered
