"""Answers `--help` and a TAB without importing a command: from a table made of the command itself.

A command's module imports what it works with, which takes up to seven times as long as its help.
So what a command takes is written down (`make docs`, held to the commands by a test), and read for
these two questions. Whatever else is asked of a command of a table, the real one does it.
"""

from collections.abc import Callable
from typing import Any

import click
import msgspec
from click.shell_completion import CompletionItem
from msgspec import Struct

__all__ = ["DeclaredCommand", "DeclaredParameter", "declared", "described"]


class DeclaredParameter(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An option, which has `flags`, or an argument. `row` is its line of the help, `usage` what the
    first line of the help says of an argument, `takes` how many words follow it.
    """

    name: str
    flags: tuple[str, ...] = ()
    off_flags: tuple[str, ...] = ()
    row: tuple[str, str] | None = None
    usage: tuple[str, ...] = ()
    takes: int = 1
    is_multiple: bool = False
    is_hidden: bool = False
    is_path: bool = False
    choices: tuple[str, ...] = ()


class DeclaredCommand(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A command, or with `commands` a group. `completes_itself`: a TAB has to ask the real one."""

    name: str
    help: str
    parameters: tuple[DeclaredParameter, ...] = ()
    commands: "tuple[DeclaredCommand, ...] | None" = None
    runs_alone: bool = False
    completes_itself: bool = False


def described(command: click.Command) -> DeclaredCommand:
    """What a command takes, and those below it."""
    context = click.Context(command, info_name=command.name)
    below = command.commands.values() if isinstance(command, click.Group) else None
    commands = None if below is None else tuple(map(described, below))
    # click keeps what an argument was given for its completion, and tells nobody of it otherwise.
    own = any(getattr(one, "_custom_shell_complete", None) for one in command.params)
    return DeclaredCommand(
        name=command.name or "",
        help=command.help or "",
        parameters=tuple(_parameter(one, context) for one in command.params),
        commands=commands,
        runs_alone=isinstance(command, click.Group) and command.invoke_without_command,
        completes_itself=own or any(one.completes_itself for one in commands or ()),
    )


def _parameter(one: click.Parameter, context: click.Context) -> DeclaredParameter:
    is_option = isinstance(one, click.Option)
    is_bare = isinstance(one, click.Option) and (one.is_flag or one.count)
    return DeclaredParameter(
        name=one.name or "",
        flags=tuple(one.opts) if is_option else (),
        off_flags=tuple(one.secondary_opts),
        row=one.get_help_record(context),
        usage=tuple(one.get_usage_pieces(context)),
        takes=0 if is_bare else one.nargs,
        is_multiple=one.multiple,
        is_hidden=isinstance(one, click.Option) and one.hidden,
        is_path=isinstance(one.type, click.Path | click.File),
        choices=tuple(map(str, one.type.choices)) if isinstance(one.type, click.Choice) else (),
    )


def declared(table: bytes, real: Callable[[], click.Command]) -> click.Command | None:
    """The command that a table, which is JSON, describes; `real` imports it.

    None if a TAB has to ask the real one. Raises msgspec.DecodeError if it is no such table.
    """
    command = msgspec.json.decode(table, type=DeclaredCommand)
    return None if command.completes_itself else _command(command, real)


def _command(one: DeclaredCommand, real: Callable[[], click.Command]) -> click.Command:
    parameters: list[click.Parameter] = [
        _Option(each) if each.flags else _Argument(each) for each in one.parameters
    ]
    if one.commands is None:
        return _Leaf(one, parameters, real)

    def below(name: str) -> Callable[[], click.Command]:
        def find() -> click.Command:
            group = real()
            assert isinstance(group, click.Group)  # noqa: S101 - tells the type checker
            return group.commands[name]

        return find

    return click.Group(
        one.name,
        {each.name: _command(each, below(each.name)) for each in one.commands},
        invoke_without_command=one.runs_alone,
        help=one.help,
        params=parameters,
    )


class _Leaf(click.Command):
    """Says what its help is; all else the real command does."""

    def __init__(
        self,
        one: DeclaredCommand,
        parameters: list[click.Parameter],
        real: Callable[[], click.Command],
    ) -> None:
        super().__init__(one.name, help=one.help, params=parameters)
        self._real = real

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """A context of this command where nothing is run; mostly it has shown the help by then."""
        context = super().make_context(info_name, list(args), parent, **extra)
        if context.resilient_parsing:
            return context
        return self._real().make_context(info_name, args, parent, **extra)


class _Option(click.Option):
    def __init__(self, one: DeclaredParameter) -> None:
        flags = list(one.flags)
        if one.off_flags:
            flags = [f"{on}/{off}" for on, off in zip(one.flags, one.off_flags, strict=True)]
        takes: dict[str, Any] = {"is_flag": True} if one.takes == 0 else {"nargs": one.takes}
        if one.takes:
            takes["type"] = _type(one)
        super().__init__(
            [one.name, *flags], multiple=one.is_multiple, hidden=one.is_hidden, **takes
        )
        self._row = one.row

    def get_help_record(self, _ctx: click.Context) -> tuple[str, str] | None:
        """As the real one has it."""
        return self._row


class _Argument(click.Argument):
    def __init__(self, one: DeclaredParameter) -> None:
        super().__init__([one.name], required=False, nargs=one.takes, type=_type(one))
        self._usage = one.usage

    def get_usage_pieces(self, _ctx: click.Context) -> list[str]:
        """As the real one has it."""
        return list(self._usage)


def _type(one: DeclaredParameter) -> click.ParamType[str]:
    if one.choices:
        return _Choices(one.choices)
    return click.Path() if one.is_path else click.STRING


class _Choices(click.ParamType[str]):
    """Offers the choices, and leaves it to the real command to refuse others."""

    name = "choice"

    def __init__(self, choices: tuple[str, ...]) -> None:
        self._choices = choices

    def shell_complete(
        self, _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Those that begin so."""
        return [CompletionItem(one) for one in self._choices if one.startswith(incomplete)]
