"""Writes many calls as one request, and tells their answers apart; no I/O.

https://apidocs.bitrix24.com/api-reference/how-to-call-rest-api/batch.html
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote_plus

from msgspec import Struct

from gateway.bitrix24.answers import Answer, error_of, members_of
from gateway.bitrix24.endpoints import method_name
from gateway.bitrix24.errors import Bitrix24Error, MaybeDone
from gateway.php_numbers import integer_of

__all__ = ["MAX_COMMANDS", "Command", "answers_of", "parameters_of", "query_of"]

MAX_COMMANDS: Final = 50
"""As many calls as a portal takes in one batch."""


class Command(Struct, frozen=True):
    """One call of a batch. What is None among the parameters is left out, as PHP would."""

    method: str
    parameters: Mapping[str, Any] = {}


def parameters_of(commands: Mapping[str, Command]) -> dict[str, Any]:
    """The parameters of `batch`, which does not stop at a command that fails.

    Raises ValueError for what is no method's name.
    """
    return {
        "halt": 0,
        "cmd": {
            name: f"{method_name(command.method)}?{query_of(command.parameters)}"
            for name, command in commands.items()
        },
    }


def query_of(parameters: Mapping[str, Any]) -> str:
    """Nested maps and lists as PHP writes them in a query: `filter[ID][0]=1`."""
    return "&".join(
        f"{quote_plus(key)}={quote_plus(value)}" for key, value in _pairs("", parameters.items())
    )


def answers_of(
    tree: Any, names: Sequence[str], *, now: float, secrets: tuple[str, ...]
) -> dict[str, Answer | Bitrix24Error]:
    """What each command came to, by its name; one that the portal says nothing of is MaybeDone."""
    parts = members_of(tree)
    results, errors, totals, nexts, times = (
        members_of(parts.get(key))
        for key in ("result", "result_error", "result_total", "result_next", "result_time")
    )
    found: dict[str, Answer | Bitrix24Error] = {}
    for name in names:
        if name in errors:
            error = errors[name] if isinstance(errors[name], dict) else {"error": errors[name]}
            timed = {"time": times.get(name)} | error
            found[name] = error_of(timed, status=0, now=now, secrets=secrets)
        elif name in results:
            found[name] = Answer(
                result=results[name],
                total=integer_of(totals.get(name), least=0),
                next_start=integer_of(nexts.get(name), least=0),
            )
        else:
            found[name] = MaybeDone("the portal says nothing of this command")
    return found


def _pairs(prefix: str, members: Any) -> Iterator[tuple[str, str]]:
    for key, value in members:
        name = f"{prefix}[{key}]" if prefix else str(key)
        if value is None:
            continue
        if isinstance(value, Mapping):
            yield from _pairs(name, value.items())
        elif isinstance(value, list | tuple):
            yield from _pairs(name, enumerate(value))
        elif isinstance(value, bool):
            yield name, str(int(value))
        else:
            yield name, str(value)
