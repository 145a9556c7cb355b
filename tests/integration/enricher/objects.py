"""Deals and tasks of a portal of the sandbox: what its methods say of them."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from gateway.sandbox.faults import Mood
from gateway.sandbox.json_answers import as_php_array, json_answer

__all__ = ["DENIED", "NOT_FOUND", "Objects"]

NOT_FOUND = {"error": "NOT_FOUND", "error_description": "Item not found"}
DENIED = {"error": "ACCESS_DENIED", "error_description": "You do not have permission"}


class Objects:
    """Answers batches whose commands are all known here; `asked` has all commands, in order.

    `answers` is by the command without its query, and by the id in it: a result, or an error.
    """

    def __init__(self, ids: Mapping[str, str]) -> None:
        self.ids = ids
        self.answers: dict[tuple[str, str], Any] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def mood(self) -> Mood:
        """What makes a portal answer so."""

        async def mood(_request: web.Request, parameters: Any) -> web.StreamResponse | None:
            asked = parameters.get("cmd")
            commands = dict(asked.items() if isinstance(asked, dict) else enumerate(asked or ()))
            methods = {name: str(one).partition("?") for name, one in commands.items()}
            if not methods or any(method not in self.ids for method, _, _ in methods.values()):
                return None
            results: dict[str, Any] = {}
            errors: dict[str, Any] = {}
            for name, (method, _, query) in methods.items():
                one = {key: values[0] for key, values in parse_qs(query).items()}
                self.asked.append((method, one))
                answer = self.answers.get((method, one[self.ids[method]]), NOT_FOUND)
                (errors if "error" in answer else results)[str(name)] = answer
            told = {"result": as_php_array(results), "result_error": as_php_array(errors)}
            return json_answer({"result": told, "time": {}})

        return mood
