"""Every help has examples that the command takes, and names a page that is there."""

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.command_pages import PROGRAMS, examples_of, paths

_ROOT = Path(__file__).parents[2]
HELPS = [
    pytest.param(path, context.command.help or "", id=" ".join(path))
    for program in PROGRAMS
    for path, context in paths(program)
]


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which commands were called, and not run, in a directory with the files that examples name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var" / "audit").mkdir(parents=True)
    for name in ("proof.json", "audit.key.pub", "anchors.txt"):
        (tmp_path / name).touch()
    paths: list[str] = []

    def note(_command: click.Command, context: click.Context) -> None:
        paths.append(context.command_path)

    # What a group does itself is a call of a command, too.
    monkeypatch.setattr(click.Command, "invoke", note)
    return paths


@pytest.mark.parametrize(("path", "text"), HELPS)
def test_a_help_has_two_examples_of_the_command(path: tuple[str, ...], text: str) -> None:
    examples = examples_of(text)

    assert len(set(examples)) >= 2
    assert [shlex.split(one)[: len(path)] for one in examples] == [list(path)] * len(examples)


def test_each_command_that_ends_by_itself_prints_data_for_programs() -> None:
    run = {("gateway", name) for name in ("serve", "reconcile", "up")} | {("consumers", "run")}
    write_files = {("consumers", "audit", name) for name in ("keygen", "prove")}
    commands = {
        path: context.command
        for program in PROGRAMS
        for path, context in paths(program)
        if not isinstance(context.command, click.Group)
    }

    without = {
        path
        for path, command in commands.items()
        if not any("--json" in one.opts for one in command.params)
    }
    assert without == run | write_files


@pytest.mark.parametrize(("path", "text"), HELPS)
def test_an_example_is_shown_as_one_line_to_copy(
    path: tuple[str, ...], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    program, *rest = path

    shown = CliRunner().invoke(PROGRAMS[program][0], [*rest, "--help"]).output.splitlines()

    assert [one for one in examples_of(text) if f"  {one}" not in shown] == []


@pytest.mark.parametrize(("path", "text"), HELPS)
def test_an_example_is_what_the_command_takes(
    path: tuple[str, ...], text: str, called: list[str]
) -> None:
    for example in examples_of(text):
        program, *args = shlex.split(example)

        done = CliRunner().invoke(PROGRAMS[program][0], args, prog_name=program)

        assert done.exit_code == 0, done.output
        assert example.startswith(called[-1])
        assert called[-1].startswith(" ".join(path))


def test_a_line_that_no_command_takes_is_found(called: list[str]) -> None:
    done = CliRunner().invoke(
        PROGRAMS["gateway"][0], ["dead", "list", "--what-there-is-not"], prog_name="gateway"
    )

    assert done.exit_code == 2
    assert called[-1] == "gateway dead"


@pytest.mark.parametrize(("path", "text"), HELPS)
def test_a_help_names_a_page_that_is_there(path: tuple[str, ...], text: str) -> None:
    pages = re.findall(r"\bdocs/[\w./-]+\.md\b", text)

    assert pages
    assert all((_ROOT / page).is_file() for page in pages)
