import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import consumers.cli
import gateway.cli
from gateway.commandline import CommandTable, command_line, run, settings_of
from gateway.settings import SettingsError


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


ROOTS = [gateway.cli.cli, consumers.cli.cli]


@pytest.mark.parametrize("root", ROOTS, ids=["gateway", "consumers"])
def test_every_command_is_there_and_says_of_itself_what_the_table_says(root: CommandTable) -> None:
    context = click.Context(root)

    for name, summary in root.table.items():
        command = root.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.get_short_help_str(limit=200) == summary


@pytest.mark.parametrize("root", ROOTS, ids=["gateway", "consumers"])
def test_help_lists_the_table_and_imports_no_command(
    root: CommandTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(root, "get_command", None)

    shown = CliRunner().invoke(root, ["--help"])

    assert shown.exit_code == 0
    assert all(name in shown.output for name in root.table)


def test_a_name_that_is_not_in_the_table_is_no_command() -> None:
    shown = CliRunner().invoke(gateway.cli.cli, ["settings"])

    assert shown.exit_code == 2
    assert "No such command 'settings'" in shown.output


@pytest.mark.parametrize(
    ("given", "near"), [("servee", "serve"), ("group", "groups"), ("portal", "portals")]
)
def test_a_command_that_is_mistyped_is_answered_with_the_nearest(given: str, near: str) -> None:
    shown = CliRunner().invoke(gateway.cli.cli, [given])

    assert shown.exit_code == 2
    assert f"No such command '{given}'. Did you mean '{near}'?" in shown.output


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("dead", "lst"), "No such command 'lst'. Did you mean 'list'?"),
        (("portals", "quarantine", "lits"), "No such command 'lits'. Did you mean 'list'?"),
        (("groups", "--jsn"), "No such option '--jsn'. Did you mean '--json'?"),
        (("dead", "list", "--grop", "x"), "No such option '--grop'. Did you mean '--group'?"),
    ],
)
def test_so_are_commands_below_and_options(given: tuple[str, ...], said: str) -> None:
    shown = CliRunner().invoke(gateway.cli.cli, given)

    assert shown.exit_code == 2
    assert said in shown.output


@pytest.mark.parametrize("root", ROOTS, ids=["gateway", "consumers"])
def test_the_bare_command_is_its_help_on_standard_output(root: CommandTable) -> None:
    shown = CliRunner().invoke(root, [])

    assert shown.exit_code == 0
    assert shown.stdout.startswith("Usage: ")
    assert not shown.stderr


def test_an_operators_fault_is_one_line_each_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = command_line(module_of=import_module, table={}, summary="A command line.")

    def fail(**_options: object) -> None:
        raise SettingsError("first\nsecond")

    monkeypatch.setattr(root, "main", fail)
    monkeypatch.setattr(sys, "argv", ["gateway"])
    with pytest.raises(SystemExit) as caught:
        run(root, name="gateway")

    assert caught.value.code == 2
    assert capsys.readouterr().err == "gateway: first\ngateway: second\n"


def test_a_command_reads_the_settings_that_the_root_was_given(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    config = tmp_path_factory.mktemp("config") / "other.toml"
    config.write_text("[http]\nport = 9001\n")
    root = command_line(module_of=import_module, table={}, summary="A command line.")
    context = click.Context(root)
    context.params["config"] = str(config)

    assert settings_of(click.Context(click.Command("serve"), parent=context)).http.port == 9001


def test_what_a_command_writes_is_for_its_own_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.umask(0o022)
    monkeypatch.setattr(sys, "argv", ["gateway", "--version"])

    with pytest.raises(SystemExit):
        run(gateway.cli.cli, name="gateway")
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()

    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "directory").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_settings_may_be_named_before_within_and_behind_the_command(
    place: int, tmp_path: Path
) -> None:
    config = tmp_path / "other.toml"
    config.write_text("[nonsense]\n")
    words = ["portals", "list"]
    words[place:place] = ["--config", str(config)]

    shown = CliRunner().invoke(gateway.cli.cli, words)

    assert isinstance(shown.exception, SettingsError)
    assert "nonsense" in str(shown.exception)


_WITHOUT_A_LIBRARY = """
import sys

library = sys.argv.pop(1)

class Missing:
    def find_spec(self, name, *_):
        if name == library:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from consumers.cli import cli
from gateway.commandline import run
run(cli, name="consumers")
"""


@pytest.mark.parametrize(
    ("command", "library"),
    [("audit", "cryptography"), ("notifier", "apprise"), ("warehouse", "dlt")],
)
def test_a_command_whose_library_is_missing_says_what_brings_it(command: str, library: str) -> None:
    # In a process of its own: here the modules may have been imported already.
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_A_LIBRARY, library, command, "anything"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == (
        f"consumers: `consumers {command}` needs the library {library!r}: "
        f"pip install 'bitrix24-event-gateway[{command}]'\n"
    )
    assert done.returncode == 2


@pytest.mark.parametrize(("name", "library"), [("warehouse", "dlt"), ("warehouse", "pyarrow")])
def test_a_consumer_whose_library_is_missing_says_what_brings_it(name: str, library: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_A_LIBRARY, library, "run", name],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == (
        f"consumers: consumer {name!r} needs the library {library!r}: "
        f"pip install 'bitrix24-event-gateway[{name}]'\n"
    )
    assert done.returncode == 2
