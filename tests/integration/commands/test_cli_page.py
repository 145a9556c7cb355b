"""The examples of docs/cli.md that only read, on a small installation that is real: the demo."""

import shlex
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.command_pages import examples_of
from tests.integration.local.test_up import CONSUMERS, up
from tests.support.eventually import eventually
from tests.support.program import surroundings
from tests.support.starting import finished

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"
_READS = {
    # What may be wrong with the demo is no fault of the example: each with its exit codes.
    ("gateway", "status"): {0, 1},
    ("gateway", "doctor"): {0, 1},
    ("gateway", "config"): {0},
    ("gateway", "balance"): {0, 1},
    ("gateway", "groups"): {0},
    ("gateway", "pending"): {0},
    ("gateway", "explain"): {0, 1},
    ("gateway", "tail", "--stream"): {0},
    ("gateway", "dead", "list"): {0},
    ("gateway", "dead", "show"): {1},
    ("gateway", "trigger"): {0},
    ("gateway", "spool", "status"): {0},
    ("gateway", "portals", "list"): {0},
    ("gateway", "portals", "check"): {0, 1, 2},
    ("gateway", "portals", "gaps"): {0},
    ("gateway", "portals", "quarantine", "list"): {0},
    ("gateway", "portals", "quarantine", "show"): {0, 1},
    ("gateway", "vault", "check"): {0},
    ("consumers", "audit", "show"): {0, 1},
    ("consumers", "audit", "verify"): {0, 2},
    ("consumers", "audit", "prove"): {0, 1},
    ("consumers", "notifier", "check"): {0, 2},
    ("consumers", "notifier", "backlog"): {0},
    ("consumers", "warehouse", "query"): {0},
    ("consumers", "warehouse", "check"): {0, 1},
}
_NOT_HERE = ("--config", "--watch", "--send", "gateway groups ")


def examples() -> list[tuple[list[str], set[int]]]:
    """Each example once, with the exit codes that it may have."""
    found = {}
    for line in examples_of(PAGE.read_text()):
        words = shlex.split(line)
        for start, codes in _READS.items():
            if words[: len(start)] == list(start) and not any(one in line for one in _NOT_HERE):
                found[line] = (words, codes)
    return list(found.values())


@pytest.mark.timeout(600)
async def test_each_example_that_only_reads_answers_as_it_should(tmp_path: Path) -> None:
    wrong = []
    async with up(tmp_path, "--demo") as running:
        for consumer in CONSUMERS:
            handled = rf"{consumer} +comment/\d+ handled and acknowledged"
            await eventually(partial(running.printed, handled), timeout_s=120)
        for words, codes in examples():
            done = await finished(
                (sys.executable, "-m", *words), directory=tmp_path, environment=surroundings()
            )
            if done.returncode not in codes or "Traceback" in done.stderr:
                wrong.append((done.args, done.returncode, done.stdout[-300:], done.stderr[-300:]))

    assert wrong == []
    assert len(examples()) > 30
