"""Makes the root that the commands `gateway` and `consumers` share.

A command line is a table: the name of each command with its one line for `--help`. The command
itself is the object `command` in a module, which is imported when the command is called, so that
`--help` and small commands do not pay for the large ones.
"""

import os
import sys
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from gateway.declared_commands import declared
from gateway.errors import BackgroundFailed, OperatorError
from gateway.settings import Settings, load, load_here
from gateway.terminal import printable

__all__ = ["CommandTable", "command_line", "run", "settings_of"]

_CONFIG_HELP: Final = (
    "Settings; before the command or behind it. Default: $GATEWAY_CONFIG, else ./gateway.toml, if "
    "there is one, else those of the `gateway up` that runs in this directory."
)
_HELP: Final = frozenset(("-h", "--help"))
_PRIVATE: Final = 0o077
# Comments stand in the warehouse's file, in Redis's, in the audit log and in the spool.


class CommandTable(click.Group):
    """Groups the commands that `table` names, in its order; `module_of` imports a command's.

    In the directory `declared_in` a file for each says what it takes (gateway.declared_commands).
    """

    def __init__(
        self,
        *,
        module_of: Callable[[str], ModuleType],
        table: Mapping[str, str],
        summary: str,
        declared_in: Path | None,
    ) -> None:
        super().__init__(help=summary, context_settings={"help_option_names": sorted(_HELP)})
        self.table = table
        self.module_of = module_of
        self._declared_in = declared_in

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(self.table)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself; this imports its module."""
        return self._command(cmd_name) if cmd_name in self.table else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that was asked for; one that there is not is answered with the nearest."""
        if ctx.resilient_parsing or not _HELP.isdisjoint(args[1:]):
            told = self._declared(args[0])
            if told is not None:
                return args[0], told, args[1:]
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = get_close_matches(args[0], self.table, n=1)
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", ctx) from None

    def _declared(self, name: str) -> click.Command | None:
        """A command that only knows what it takes; None where nothing says that."""
        if self._declared_in is None or name not in self.table:
            return None
        try:
            table = (self._declared_in / f"{name}.json").read_bytes()
            return declared(table, lambda: self._command(name))
        except (OSError, ValueError):
            return None

    def _command(self, name: str) -> click.Command:
        command = self.module_of(name).command
        assert isinstance(command, click.Command)  # noqa: S101 - tells the type checker
        _let_name_settings(command)
        _let_keep_lines(command)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; without any the help is the answer, and no fault."""
        if not args and not ctx.resilient_parsing:  # a TAB parses, too
            click.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; raises OperatorError where Redis does not do its part of it."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            told = _failure_of_redis(error, ctx.obj)
            if told is None:
                raise
            raise OperatorError(told) from error

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The names and options that begin so, from the table alone."""
        names = [
            CompletionItem(name, help=summary)
            for name, summary in self.table.items()
            if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`, from the table alone."""
        if not self.table:
            return
        with formatter.section("Commands"):
            formatter.write_dl(list(self.table.items()))


def command_line(
    *,
    module_of: Callable[[str], ModuleType],
    table: Mapping[str, str],
    summary: str,
    declared_in: Path | None = None,
) -> CommandTable:
    """A command line with the options that both have: `--config` and `--version`."""
    group = CommandTable(module_of=module_of, table=table, summary=summary, declared_in=declared_in)
    config = click.Option(["--config"], metavar="FILE", type=click.Path(), help=_CONFIG_HELP)
    group.params.append(config)
    return click.version_option(package_name="bitrix24-event-gateway")(group)


def _let_name_settings(command: click.Command) -> None:
    """Take `--config` behind a command, too, and behind those below it; the last one counts."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            _let_name_settings(below)
    if all(one.name != "config" for one in command.params):
        command.params.append(
            click.Option(
                ["--config"],
                metavar="FILE",
                type=click.Path(),
                hidden=True,  # the root's help has it
                expose_value=False,
                callback=_name_settings,
            )
        )


def _let_keep_lines(command: click.Command) -> None:
    r"""Keep the lines of paragraphs of a help that begin with `\b`, as raw docstrings write it.

    https://click.palletsprojects.com/en/stable/documentation/#preventing-rewrapping
    """
    if isinstance(command, click.Group):
        for below in command.commands.values():
            _let_keep_lines(below)
    if command.help is not None:
        command.help = command.help.replace("\\b\n", "\b\n")


def _name_settings(context: click.Context, _option: click.Parameter, file: str | None) -> None:
    if file is not None:
        context.find_root().params["config"] = file


def _failure_of_redis(error: Exception, settings: object) -> str | None:
    """What an operator is told of it; None if it is no failure of Redis, or the mistake is ours."""
    if "redis" not in sys.modules:
        return None
    # Here, since `--help` and commands without Redis would take twice as long with redis-py.
    from gateway.redis_access import redis_faults  # noqa: PLC0415
    from gateway.redis_access.redis_url import RedisAddress  # noqa: PLC0415

    is_redis = isinstance(error, redis_faults.ERRORS_OF_REDIS_PY)
    is_ours = redis_faults.fault_of(error) is redis_faults.RedisFault.OURS
    if not is_redis or is_ours or not isinstance(settings, Settings):
        return None
    where = str(RedisAddress.of(settings.redis.url))
    told = " ".join(f"{where} {redis_faults.predicate(error)}".split())
    return f"{told} ([redis] url)"


def settings_of(context: click.Context, *, are_of_running_up: bool = True) -> Settings:
    """The settings, read when a command needs them, so that `--help` works without any.

    Those of the `gateway up` that runs in this directory are theirs unless others are named; with
    `are_of_running_up` false it is as if none ran. Raises SettingsError naming every fault.
    """
    root = context.find_root()
    config = root.params["config"]
    settings = load_here(config, os.environ)[0] if are_of_running_up else load(config, os.environ)
    root.obj = settings
    return settings


def run(group: CommandTable, *, name: str) -> None:
    """Run; an error that the operator has to mend is one line per fault, and exit code 2.

    Exit code 1 if something in the background has failed, of which the log has told. What it
    writes, and what it starts does, is for its own user alone.
    """
    os.umask(_PRIVATE)
    try:
        group(prog_name=name)
    except OperatorError as error:
        for line in str(error).splitlines():
            click.echo(printable(f"{name}: {line}"), err=True)
        sys.exit(2)
    except BackgroundFailed:
        sys.exit(1)
