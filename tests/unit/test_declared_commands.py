"""Help and completion are answered from tables, which say what the commands are."""

import json
import subprocess
import sys
from pathlib import Path

import click
import msgspec
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from gateway.commandline import CommandTable
from gateway.declared_commands import declared, described
from tests.command_pages import PROGRAMS, page, paths, tables

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
PATHS = [path for program in PROGRAMS for path, _ in paths(program)]
_LIBRARIES = (
    *("redis", "aiohttp", "structlog", "uvloop", "prometheus_client", "cryptography", "sqlite3"),
    *("dlt", "duckdb", "pyarrow", "apprise", "jinja2", "opentelemetry", "asyncio"),
)
_ASKING = """
import json, sys
from click.shell_completion import ShellComplete
from click.testing import CliRunner
import consumers.cli, gateway.cli

roots = {"gateway": gateway.cli.cli, "consumers": consumers.cli.cli}
for program, *rest in json.loads(sys.argv[1]):
    shown = CliRunner().invoke(roots[program], [*rest, "--help"])
    assert shown.output.startswith("Usage: "), shown.output
    ShellComplete(roots[program], {}, program, "").get_completions(rest, "")
    ShellComplete(roots[program], {}, program, "").get_completions(rest, "--")
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_tables_are_what_make_docs_writes(program: str) -> None:
    written = dict(tables(program))
    _, directory = PROGRAMS[program]

    for file, table in written.items():
        assert file.read_text() == table, f"{file.name}: make docs"
    assert set(directory.glob("*.json")) == set(written)


def test_the_page_is_what_make_docs_writes() -> None:
    assert PAGE.read_text() == page(), "make docs"


def test_neither_help_nor_a_tab_imports_what_a_command_works_with() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ASKING, json.dumps(PATHS)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    imported = set(json.loads(done.stdout))
    assert imported.isdisjoint(_LIBRARIES), imported.intersection(_LIBRARIES)
    assert not {name for name in imported if name.startswith("gateway.commands.")}


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_the_help_from_a_table_is_that_of_the_command(path: tuple[str, ...]) -> None:
    program, *rest = path
    root, _ = PROGRAMS[program]
    real = CommandTable(
        module_of=root.module_of, table=root.table, summary=root.help or "", declared_in=None
    )
    real.params = root.params

    shown = CliRunner().invoke(root, [*rest, "--help"], prog_name=program)

    assert shown.exit_code == 0
    assert shown.output == CliRunner().invoke(real, [*rest, "-h"], prog_name=program).output


def sample() -> tuple[click.Group, list[dict[str, object]]]:
    """A group with a command, and what that was called with."""
    calls: list[dict[str, object]] = []

    @click.group("fruit", invoke_without_command=True)
    def fruit() -> None:
        """Fruit."""

    @fruit.command("peel")
    @click.argument("name", required=False)
    @click.option("--how", type=click.Choice(["by hand", "by knife"]))
    @click.option("--fast/--slow", default=False)
    @click.option("--twice", nargs=2, multiple=True)
    @click.option("-v", count=True)
    def peel(**options: object) -> None:
        """Peel it."""
        calls.append(options)

    return fruit, calls


def test_a_word_that_only_looks_like_a_question_reaches_the_command() -> None:
    real, calls = sample()
    command = declared(msgspec.json.encode(described(real)), lambda: real)
    assert command is not None

    words = ["peel", "--twice", "--help", "-h", "--fast", "-vv", "--how", "by hand", "apple"]
    shown = CliRunner().invoke(command, words)

    assert shown.exit_code == 0, shown.output
    assert calls == [
        {"name": "apple", "how": "by hand", "fast": True, "twice": (("--help", "-h"),), "v": 2}
    ]


def test_a_tab_offers_commands_options_and_choices() -> None:
    real, _ = sample()
    command = declared(msgspec.json.encode(described(real)), lambda: pytest.fail("not asked"))
    assert command is not None

    def offered(*words: str) -> list[str]:
        *before, begun = words
        completion = ShellComplete(command, {}, "fruit", "")
        return [one.value for one in completion.get_completions(list(before), begun)]

    assert offered("p") == ["peel"]
    assert offered("peel", "--") == ["--how", "--fast", "--slow", "--twice", "--help"]
    assert offered("peel", "--how", "by k") == ["by knife"]


def test_a_table_that_is_not_there_or_broken_is_no_fault(tmp_path: Path) -> None:
    root, _ = PROGRAMS["gateway"]
    (tmp_path / "serve.json").write_text("{")
    without = CommandTable(
        module_of=root.module_of, table=root.table, summary="", declared_in=tmp_path
    )

    for name in ("serve", "config"):
        assert CliRunner().invoke(without, [name, "--help"]).exit_code == 0
